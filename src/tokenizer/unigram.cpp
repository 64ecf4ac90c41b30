#include "tokenizer/model.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

constexpr double kUnknownPenalty = 10.0;

template <typename Score>
class Unigram final : public Model {
 public:
  Unigram(UnigramConfig config, Trie pieces, StringTable table)
      : config_(std::move(config)), pieces_(std::move(pieces)), table_(std::move(table)) {
    unknown_score_ = static_cast<Score>(static_cast<Score>(config_.lowest_score) - kUnknownPenalty);
  }

 private:
  struct Node {
    Score score = 0;
    uint32_t begin = UINT32_MAX;  // UINT32_MAX: not reached
    TokenId id = 0;
  };
  struct Part {
    uint32_t begin, end;
    TokenId id;
  };

  // Best path ending at each byte.
  std::vector<Node> search(std::string_view word) const {
    std::vector<Node> best(word.size() + 1);
    const auto offer = [&](size_t begin, size_t end, Score score, TokenId id) {
      Node& node = best[end];
      const Score candidate = score + best[begin].score;
      if (node.begin == UINT32_MAX || candidate > node.score) {
        node = {candidate, static_cast<uint32_t>(begin), id};
      }
    };
    for (size_t pos = 0; pos < word.size();) {
      const size_t size = char_length(word[pos]);
      bool single = false;
      pieces_.for_each_prefix(word.substr(pos), [&](size_t length, int32_t id) {
        offer(pos, pos + length, static_cast<Score>(config_.score[static_cast<size_t>(id)]), id);
        single = single || length == size;
      });
      if (!single) offer(pos, pos + size, unknown_score_, config_.unk);
      pos += size;
    }
    return best;
  }

  void encode_word(std::string_view word, std::vector<TokenId>& out) const override {
    if (word.empty()) return;
    const std::vector<Node> best = search(word);
    std::vector<Part> parts;  // from the end
    for (size_t end = word.size(); end > 0; end = best[end].begin) {
      const Node& node = best[end];
      const Part part{node.begin, static_cast<uint32_t>(end), node.id};
      const bool fuse = config_.fuse_unk && part.id == config_.unk && !parts.empty() &&
                        parts.back().id == config_.unk;
      if (fuse) {
        parts.back().begin = part.begin;
      } else {
        parts.push_back(part);
      }
    }
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (part->id != config_.unk) {
        out.push_back(part->id);
      } else {
        emit_unknown(word.substr(part->begin, part->end - part->begin), out);
      }
    }
  }

  void emit_unknown(std::string_view text, std::vector<TokenId>& out) const {
    if (const auto id = table_.find(text)) {
      out.push_back(*id);
    } else if (config_.byte_tokens.has_value()) {
      for (const char byte : text)
        out.push_back((*config_.byte_tokens)[static_cast<uint8_t>(byte)]);
    } else {
      out.push_back(config_.unk);
    }
  }

  UnigramConfig config_;
  Trie pieces_;
  StringTable table_;
  Score unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<Model> make_unigram(UnigramConfig config, Trie pieces, StringTable table) {
  if (config.single_precision) {
    return std::make_unique<Unigram<float>>(std::move(config), std::move(pieces), std::move(table));
  }
  return std::make_unique<Unigram<double>>(std::move(config), std::move(pieces), std::move(table));
}

}  // namespace orrery::tokenizer
