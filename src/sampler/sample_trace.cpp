#include "sampler/sample_trace.h"

namespace orrery::sampler {

std::string_view name_of(Filter filter) {
  switch (filter) {
    case Filter::kNone:
      return "";
    case Filter::kGrammar:
      return "grammar";
    case Filter::kAllowedTokenIds:
      return "allowed_token_ids";
    case Filter::kBadWords:
      return "bad_words";
    case Filter::kMinTokens:
      return "min_tokens";
    case Filter::kGreedy:
      return "greedy";
    case Filter::kMinP:
      return "min_p";
    case Filter::kTopK:
      return "top_k";
    case Filter::kTopP:
      return "top_p";
    case Filter::kTypicalP:
      return "typical_p";
  }
  return "";
}

}  // namespace orrery::sampler
