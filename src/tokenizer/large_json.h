// For tests and benchmarks: a rank file as the tokenizer.json that Hugging Face's converter makes
// of it, with a merge for each pair of tokens that spells a token.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {

// `tokenizer` comes from a rank file whose pattern is `pattern`. Indented as published files are;
// merges are pairs of strings.
inline std::string make_large_json(const Tokenizer& tokenizer, const std::string& pattern) {
  std::unordered_map<std::string, TokenId> ids;
  OrderedJson vocab = OrderedJson::object();
  OrderedJson added = OrderedJson::array();
  std::vector<std::string> bytes(static_cast<size_t>(tokenizer.vocab_size()));
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string spelling(tokenizer.token(id));
    if (tokenizer.is_special(id)) {
      added.push_back(
          {{"id", id}, {"content", spelling}, {"special", true}, {"normalized", false}});
      continue;
    }
    vocab.get_ref<OrderedJson::object_t&>().emplace_back(spelling, id);
    bytes[static_cast<size_t>(id)] = tokenizer.token_bytes(id);
    ids.emplace(bytes[static_cast<size_t>(id)], id);
  }
  OrderedJson merges = OrderedJson::array();
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string& token = bytes[static_cast<size_t>(id)];
    std::vector<std::tuple<TokenId, TokenId>> pairs;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(token.substr(0, cut));
      const auto right = ids.find(token.substr(cut));
      if (left != ids.end() && right != ids.end()) pairs.emplace_back(left->second, right->second);
    }
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [left, right] : pairs) {
      merges.push_back({tokenizer.token(left), tokenizer.token(right)});
    }
  }
  const OrderedJson split = {{"type", "Split"},
                             {"pattern", {{"Regex", pattern}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
  const OrderedJson byte_level = {{"type", "ByteLevel"},
                                  {"add_prefix_space", false},
                                  {"trim_offsets", true},
                                  {"use_regex", false}};
  const OrderedJson root = {
      {"version", "1.0"},
      {"added_tokens", added},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"ignore_merges", true}, {"vocab", vocab}, {"merges", merges}}}};
  return root.dump(2);
}

}  // namespace orrery::tokenizer
