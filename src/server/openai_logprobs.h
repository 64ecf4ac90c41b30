// Log-probabilities as the OpenAI API and vLLM write them. Those below −9999, with −infinity, are
// written as −9999.0, as vLLM does: JSON has no infinity.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "llm/service.h"
#include "server/json_writer.h"

namespace orrery::server {

// How a token is spelled in log-probabilities: its text, in which bytes that are no whole character
// become U+FFFD; or "token_id:17" where that was asked for.
class TokenSpelling {
 public:
  // `tokenizer` may be null: every token is spelled by its id.
  TokenSpelling(const tokenizer::Tokenizer* tokenizer, bool as_ids)
      : tokenizer_(tokenizer), as_ids_(as_ids || tokenizer == nullptr) {}

  std::string text(int32_t id) const;
  std::string bytes(int32_t id) const;

 private:
  const tokenizer::Tokenizer* tokenizer_;
  bool as_ids_;
};

// The `logprobs` of some tokens: a part of an answer, or all of it.
class LogprobsWriter {
 public:
  enum class Style {
    kCompletions,  // {"text_offset":[],"token_logprobs":[],"tokens":[],"top_logprobs":[]}
    kChat,         // {"content":[{"token","logprob","bytes","top_logprobs"}],"refusal":null}
  };
  // `text_offset`: characters of the answer before the first token. `top`: how many of the most
  // probable tokens were asked for.
  LogprobsWriter(Style style, TokenSpelling spelling, int32_t top, int64_t text_offset);

  void add(int32_t id, float logprob, std::span<const sampler::TokenLogprob> top_logprobs);
  // A token that nothing comes before has none. Only in the style of completions.
  void add_without(int32_t id);

  bool empty() const { return num_tokens_ == 0; }
  int64_t text_offset() const { return text_offset_; }  // after the last token
  std::string take() &&;

 private:
  void begin_completions_token(int32_t id);

  Style style_;
  TokenSpelling spelling_;
  size_t top_;
  int64_t text_offset_;
  int64_t num_tokens_ = 0;
  JsonWriter tokens_, token_logprobs_, top_logprobs_, text_offsets_;  // open arrays
  JsonWriter content_;
};

// vLLM's prompt_logprobs: null for the first token, then
// {"<id>":{"logprob","rank","decoded_token"}, ...}, the prompt's own token first.
std::string prompt_logprobs_json(std::span<const llm::PromptLogprob> logprobs,
                                 const TokenSpelling& spelling);

}  // namespace orrery::server
