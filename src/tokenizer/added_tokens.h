// Added tokens: strings that are found in the text before anything else splits it.
//
// Those marked `normalized` are looked for in the normalized text, by their normalized content; the
// others in the text as it is. The leftmost match wins, then the longest.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"

namespace orrery::tokenizer {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool single_word = false;  // only where no word character is next to it
  bool lstrip = false;       // takes the spaces before it
  bool rstrip = false;       // and after it
  bool normalized = false;
  bool special = false;
};

// Which bytes of a text may spell special tokens: all, none, or one flag per byte.
struct Trust {
  bool all = true;
  std::string_view flags;  // '\1' or '\0' per byte; empty: `all` holds for every byte

  bool covers(size_t begin, size_t end) const {
    if (flags.empty()) return all;
    return flags.substr(begin, end - begin).find('\0') == std::string_view::npos;
  }
  Trust slice(size_t begin, size_t end) const {
    return flags.empty() ? *this : Trust{all, flags.substr(begin, end - begin)};
  }
};

class AddedTokens {
 public:
  // `normalize` gives the content under which a normalized token is looked for. Tokens whose
  // content is empty are never found.
  void build(std::vector<AddedToken> tokens,
             const std::function<std::string(std::string_view)>& normalize);

  const std::vector<AddedToken>& tokens() const { return tokens_; }

  enum class Stage { kRaw, kNormalized };
  struct Part {
    size_t begin, end;
    TokenId id;  // -1: ordinary text
  };
  // Splits valid UTF-8; parts cover the text in order. Linear in the text for fixed tokens.
  template <typename Emit>
  void split(Stage stage, std::string_view text, const Trust& trust, const Emit& emit) const {
    const Finder& finder = stage == Stage::kRaw ? raw_ : normalized_;
    size_t done = 0;
    if (!finder.trie.empty()) {
      for (size_t pos = finder.next(text, 0); pos < text.size(); pos = finder.next(text, pos)) {
        const Part part = match(finder, text, trust, pos, done);
        if (part.id < 0) {
          ++pos;
          continue;
        }
        if (part.begin > done) emit(Part{done, part.begin, -1});
        emit(part);
        done = pos = part.end;
      }
    }
    if (done < text.size()) emit(Part{done, text.size(), -1});
  }

 private:
  struct Finder {
    Trie trie;
    int only_first = -1;  // the first byte of all tokens, if they share it
    // The next place where a token may begin.
    size_t next(std::string_view text, size_t pos) const {
      if (only_first >= 0) {
        return std::min(text.find(static_cast<char>(only_first), pos), text.size());
      }
      while (pos < text.size() && !trie.begins(text[pos])) ++pos;
      return pos;
    }
  };
  Part match(const Finder& finder, std::string_view text, const Trust& trust, size_t pos,
             size_t done) const;
  static Finder make_finder(const std::vector<Trie::Entry>& entries);

  std::vector<AddedToken> tokens_;
  Finder raw_, normalized_;
};

}  // namespace orrery::tokenizer
