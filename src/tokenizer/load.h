// What the loaders share.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pipeline.h"

// simdjson declares with -Wshadow-unclean headers in some versions: only its DOM is used here.
#include <simdjson.h>

namespace orrery::tokenizer {

using JsonElement = simdjson::dom::element;

// Members of a JSON object; nothing if `object` is none, or lacks the key, or the type is another.
std::optional<JsonElement> json_member(JsonElement object, std::string_view key);
std::optional<std::string_view> json_string(JsonElement object, std::string_view key);
std::optional<bool> json_bool(JsonElement object, std::string_view key);
std::optional<int64_t> json_int(JsonElement object, std::string_view key);
inline bool json_is_null(const std::optional<JsonElement>& element) {
  return !element.has_value() || element->is_null();
}

// tokenizer.json's components; each appends. Errors: kMalformed, kUnsupported.
Status add_json_normalizer(JsonElement json, std::string_view where, NormalizerOps& out);
Status add_json_decoder(JsonElement json, std::string_view where, std::vector<DecoderStep>& out);
// `byte_level_last`: the last step was the byte-level map, which is left out of `out` if
// `can_fuse`: the model then works on bytes.
Status add_json_pre_tokenizer(JsonElement json, std::string_view where, bool can_fuse,
                              PreTokenizerOps& out, bool& byte_level_last);
// `pipeline` has its vocabulary; its prefix and suffix grow.
Status read_json_post_processor(JsonElement json, std::string_view where, Pipeline& pipeline);
// The list in `model`, in the order of their ranks (read_merges), and how long it is; 0 if there is
// none.
Status read_json_merges(JsonElement model, std::string_view where, const MergeReader& reader,
                        MergeTable& merges, const std::function<void()>& beside);
size_t count_json_merges(JsonElement model);

// The merges that a rank table implies: each token from each pair of tokens that spell it, by the
// token's own rank. `tokens` by id, raw bytes; the id is the rank.
MergeTable merges_of_ranks(const StringTable& table, const std::vector<std::string_view>& tokens);

// An added token that is found in the text as it is.
AddedToken raw_token(std::string_view content, TokenId id, bool special);

}  // namespace orrery::tokenizer
