#include "tokenizer/added_tokens.h"

#include <deque>

#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

// The character before text[pos], pos > 0; `begin` becomes its begin.
char32_t previous_char(std::string_view text, size_t pos, size_t& begin) {
  begin = pos - 1;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  size_t at = begin;
  return next_char(text, at);
}

}  // namespace

AddedTokens::Finder AddedTokens::make_finder(const std::vector<Trie::Entry>& entries) {
  Finder finder;
  finder.trie = Trie(entries);
  for (const auto& [content, value] : entries) {
    if (content.empty()) continue;
    const int first = static_cast<uint8_t>(content[0]);
    finder.only_first = finder.only_first == -1 || finder.only_first == first ? first : -2;
  }
  return finder;
}

void AddedTokens::build(std::vector<AddedToken> tokens,
                        const std::function<std::string(std::string_view)>& normalize) {
  tokens_ = std::move(tokens);
  std::vector<Trie::Entry> raw, normalized;
  std::deque<std::string> contents;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto value = static_cast<int32_t>(i);
    if (tokens_[i].normalized) {
      normalized.emplace_back(contents.emplace_back(normalize(tokens_[i].content)), value);
    } else {
      raw.emplace_back(tokens_[i].content, value);
    }
  }
  raw_ = make_finder(raw);
  normalized_ = make_finder(normalized);
}

// The longest token that may stand at pos, with the spaces that it takes (those before it not
// beyond `done`, where the token before it ended).
AddedTokens::Part AddedTokens::match(const Finder& finder, std::string_view text,
                                     const Trust& trust, size_t pos, size_t done) const {
  size_t best = 0;
  int32_t found = -1;
  finder.trie.for_each_prefix(text.substr(pos), [&](size_t length, int32_t value) {
    const AddedToken& token = tokens_[static_cast<size_t>(value)];
    if (token.special && !trust.covers(pos, pos + length)) return;
    best = length;
    found = value;
  });
  if (found < 0) return {0, 0, -1};
  const AddedToken& token = tokens_[static_cast<size_t>(found)];
  size_t begin = pos;
  size_t end = pos + best;
  size_t at = 0;
  if (token.single_word) {
    size_t next = end;
    if (begin > 0 && is_word(previous_char(text, begin, at))) return {0, 0, -1};
    if (end < text.size() && is_word(next_char(text, next))) return {0, 0, -1};
  }
  while (token.lstrip && begin > done && is_space(previous_char(text, begin, at))) begin = at;
  while (token.rstrip && end < text.size()) {
    at = end;
    if (!is_space(next_char(text, at))) break;
    end = at;
  }
  return {begin, end, token.id};
}

}  // namespace orrery::tokenizer
