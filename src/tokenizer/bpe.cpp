#include <unordered_map>
#include <utility>

#include "tokenizer/merging.h"
#include "tokenizer/model.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

// Scratch of one thread; words are short, texts without a cut are not: what a long one has
// allocated is given back.
Merger& thread_merger() {
  thread_local Merger merger;
  if (merger.symbols().capacity() > (1 << 20)) merger = Merger();
  merger.symbols().clear();
  return merger;
}

// Calls emit(part) for each part of `word` between cuts; false if there is no cut.
template <typename Emit>
bool cut(std::string_view word, std::string_view before, const Emit& emit) {
  if (before.empty()) return false;
  size_t begin = 0;
  size_t run_end = 0;  // where the latest run of `before` ended
  for (size_t pos = word.find(before); pos != std::string_view::npos;
       pos = word.find(before, run_end)) {
    if (pos != run_end && pos > begin) {
      emit(word.substr(begin, pos - begin));
      begin = pos;
    }
    run_end = pos + before.size();
  }
  if (begin == 0) return false;
  emit(word.substr(begin));
  return true;
}

class Bpe final : public Model {
 public:
  Bpe(BpeConfig config, StringTable table, MergeTable merges)
      : config_(std::move(config)), table_(std::move(table)), merges_(std::move(merges)) {
    for (size_t b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(b);
      single_[b] = table_.find(std::string_view(&byte, 1)).value_or(-1);
    }
    affixes_ = !config_.continuing_prefix.empty() || !config_.end_of_word_suffix.empty();
  }

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& out) const override {
    if (word.empty()) return;
    if (config_.ignore_merges) {
      if (const auto id = table_.find(word)) {
        out.push_back(*id);
        return;
      }
    }
    if (cut(word, config_.cut_before, [&](std::string_view part) { encode(part, out); })) return;
    Merger& merger = thread_merger();
    add_symbols(word, merger.symbols());
    merger.run(
        [&](const Symbol& left, const Symbol& right) { return merges_.find(left.id, right.id); });
    for (const Symbol& symbol : merger.symbols()) out.push_back(symbol.id);
  }

  TokenId find_symbol(std::string_view symbol, bool first, bool last) const {
    if (!affixes_) {
      return symbol.size() == 1 ? single_[static_cast<uint8_t>(symbol[0])]
                                : table_.find(symbol).value_or(-1);
    }
    std::string whole = first ? "" : config_.continuing_prefix;
    whole += symbol;
    if (last) whole += config_.end_of_word_suffix;
    return table_.find(whole).value_or(-1);
  }

  // Characters that are no token become bytes, else unknown, else vanish. An unknown character is
  // added when the next known one is, so that neighbours can be fused.
  void add_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    Symbol unknown;
    const auto flush = [&] {
      if (unknown.size != 0) symbols.push_back(unknown);
      unknown.size = 0;
    };
    for (size_t pos = 0; pos < word.size();) {
      const auto size = static_cast<uint32_t>(config_.bytes ? 1 : char_length(word[pos]));
      const auto begin = static_cast<uint32_t>(pos);
      pos += size;
      const TokenId id = find_symbol(word.substr(begin, size), begin == 0, pos == word.size());
      if (id >= 0) {
        flush();
        symbols.push_back({begin, size, id, false});
      } else if (config_.byte_tokens.has_value()) {
        for (uint32_t i = begin; i < begin + size; ++i) {
          symbols.push_back({i, 1, (*config_.byte_tokens)[static_cast<uint8_t>(word[i])], false});
        }
      } else if (config_.unk.has_value()) {
        if (unknown.size != 0 && config_.fuse_unk) {
          unknown.size += size;
        } else {
          flush();
          unknown = {begin, size, *config_.unk, false};
        }
      }
    }
    flush();
  }

  BpeConfig config_;
  StringTable table_;
  MergeTable merges_;
  std::array<TokenId, 256> single_{};
  bool affixes_ = false;
};

class SpmBpe final : public Model {
 public:
  SpmBpe(SpmBpeConfig config, StringTable pieces)
      : config_(std::move(config)), pieces_(std::move(pieces)) {
    for (size_t id = 0; id < config_.rank.size(); ++id) {
      any_unused_ = any_unused_ || (id < config_.unused.size() && config_.unused[id]);
    }
  }

 private:
  // How an unused piece came about: its left and right part.
  using Origins = std::unordered_map<std::string_view, std::pair<Symbol, Symbol>>;

  void encode_word(std::string_view word, std::vector<TokenId>& out) const override {
    if (word.empty()) return;
    if (cut(word, config_.cut_before, [&](std::string_view part) { encode(part, out); })) return;
    Merger& merger = thread_merger();
    add_symbols(word, merger.symbols());
    Origins origins;
    merger.run([&](const Symbol& left, const Symbol& right) -> MergeTable::Merge {
      if (left.frozen || right.frozen) return {};
      const std::string_view whole = word.substr(left.begin, left.size + right.size);
      const auto id = pieces_.find(whole);
      if (!id.has_value()) return {};
      if (any_unused_ && is_unused(*id)) origins[whole] = {left, right};
      return {config_.rank[static_cast<size_t>(*id)], *id};
    });
    bool previous_unknown = false;
    for (const Symbol& symbol : merger.symbols()) {
      emit(word, symbol, origins, previous_unknown, out);
    }
  }

  bool is_unused(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < config_.unused.size() &&
           config_.unused[static_cast<size_t>(id)];
  }

  void add_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    for (size_t pos = 0; pos < word.size();) {
      const auto [matched, user_id] = config_.user_defined.longest_prefix(word.substr(pos));
      const size_t size = matched != 0 ? matched : char_length(word[pos]);
      const TokenId id = matched != 0 ? user_id : pieces_.find(word.substr(pos, size)).value_or(-1);
      symbols.push_back(
          {static_cast<uint32_t>(pos), static_cast<uint32_t>(size), id, matched != 0});
      pos += size;
    }
  }

  // Unused pieces are taken apart until their parts are used; unknown neighbours become one.
  void emit(std::string_view word, const Symbol& whole, const Origins& origins,
            bool& previous_unknown, std::vector<TokenId>& out) const {
    std::vector<Symbol> stack{whole};
    while (!stack.empty()) {
      const Symbol symbol = stack.back();
      stack.pop_back();
      if (is_unused(symbol.id)) {
        const auto origin = origins.find(word.substr(symbol.begin, symbol.size));
        if (origin != origins.end()) {
          // The recorded parts may lie elsewhere in the word: only their sizes count.
          Symbol left = origin->second.first;
          Symbol right = origin->second.second;
          left.begin = symbol.begin;
          right.begin = symbol.begin + left.size;
          stack.push_back(right);
          stack.push_back(left);
          continue;
        }
      }
      const bool unknown = symbol.id < 0 || symbol.id == config_.unk;
      if (!unknown) {
        out.push_back(symbol.id);
      } else if (config_.byte_tokens.has_value()) {
        for (uint32_t i = symbol.begin; i < symbol.begin + symbol.size; ++i) {
          out.push_back((*config_.byte_tokens)[static_cast<uint8_t>(word[i])]);
        }
      } else if (!previous_unknown) {
        out.push_back(config_.unk);
      }
      previous_unknown = unknown;
    }
  }

  SpmBpeConfig config_;
  StringTable pieces_;
  bool any_unused_ = false;
};

}  // namespace

std::unique_ptr<Model> make_bpe(BpeConfig config, StringTable table, MergeTable merges) {
  return std::make_unique<Bpe>(std::move(config), std::move(table), std::move(merges));
}

std::unique_ptr<Model> make_spm_bpe(SpmBpeConfig config, StringTable pieces) {
  return std::make_unique<SpmBpe>(std::move(config), std::move(pieces));
}

}  // namespace orrery::tokenizer
