#include "tokenizer/model.h"

#include "tokenizer/unicode.h"
#include "tokenizer/word_cache.h"

namespace orrery::tokenizer {

void Model::encode(std::string_view word, std::vector<TokenId>& out) const {
  if (word.size() > WordCache::kMaxBytes) {
    encode_word(word, out);
    return;
  }
  WordCache& cache = WordCache::of_thread();
  const uint64_t hash = hash_bytes(word) + uid_ * 0x9E3779B97F4A7C15u;
  if (cache.find(uid_, hash, word, out)) return;
  const size_t begin = out.size();
  encode_word(word, out);
  cache.store(uid_, hash, word, std::span(out).subspan(begin));
}

std::optional<std::array<TokenId, 256>> find_byte_tokens(const Vocab& vocab) {
  std::array<TokenId, 256> ids{};
  for (int byte = 0; byte < 256; ++byte) {
    const auto id = vocab.find(fmt::format("<0x{:02X}>", byte));
    if (!id.has_value()) return std::nullopt;
    ids[static_cast<size_t>(byte)] = *id;
  }
  return ids;
}

namespace {

class WordPiece final : public Model {
 public:
  WordPiece(WordPieceConfig config, StringTable table)
      : config_(std::move(config)), table_(std::move(table)) {}

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& out) const override {
    std::vector<size_t> ends;  // of characters
    for (size_t pos = 0; pos < word.size();) {
      pos += char_length(word[pos]);
      ends.push_back(pos);
      if (ends.size() > config_.max_chars) {
        out.push_back(config_.unk);
        return;
      }
    }
    const size_t before = out.size();
    std::string piece;
    size_t begin = 0;
    for (size_t first = 0; first < ends.size();) {
      size_t last = ends.size();
      for (; last > first; --last) {
        piece.assign(begin > 0 ? config_.continuing_prefix : "");
        piece += word.substr(begin, ends[last - 1] - begin);
        if (const auto id = table_.find(piece)) {
          out.push_back(*id);
          break;
        }
      }
      if (last == first) {
        out.resize(before);
        out.push_back(config_.unk);
        return;
      }
      begin = ends[last - 1];
      first = last;
    }
  }

  WordPieceConfig config_;
  StringTable table_;
};

class WordLevel final : public Model {
 public:
  WordLevel(std::optional<TokenId> unk, StringTable table) : unk_(unk), table_(std::move(table)) {}

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& out) const override {
    const std::optional<TokenId> id = table_.find(word);
    if (id.has_value() || unk_.has_value()) out.push_back(id.has_value() ? *id : *unk_);
  }

  std::optional<TokenId> unk_;
  StringTable table_;
};

}  // namespace

std::unique_ptr<Model> make_word_piece(WordPieceConfig config, StringTable table) {
  return std::make_unique<WordPiece>(std::move(config), std::move(table));
}

std::unique_ptr<Model> make_word_level(std::optional<TokenId> unk, StringTable table) {
  return std::make_unique<WordLevel>(unk, std::move(table));
}

}  // namespace orrery::tokenizer
