#include "tokenizer/pre_tokenizer.h"

#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

struct Part {
  size_t begin, end;
  bool match;
};

void add(Piece piece, size_t begin, size_t end, std::vector<Piece>& out) {
  if (begin < end) {
    out.push_back({piece.text.substr(begin, end - begin), piece.at_start && begin == 0});
  }
}

// Parts cover the piece in order. Merging follows Hugging Face: a match joins its neighbour unless
// that neighbour is a match as well.
void split_parts(Piece piece, std::vector<Part>& parts, SplitBehavior behavior,
                 std::vector<Piece>& out) {
  switch (behavior) {
    case SplitBehavior::kIsolated:
      for (const Part& part : parts) add(piece, part.begin, part.end, out);
      return;
    case SplitBehavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.match) add(piece, part.begin, part.end, out);
      }
      return;
    case SplitBehavior::kContiguous:
      for (size_t i = 0; i < parts.size();) {
        size_t last = i;
        while (last + 1 < parts.size() && parts[last + 1].match == parts[i].match) ++last;
        add(piece, parts[i].begin, parts[last].end, out);
        i = last + 1;
      }
      return;
    case SplitBehavior::kMergedWithPrevious:
      for (size_t i = 0; i < parts.size(); ++i) {
        const bool takes_next = !parts[i].match && i + 1 < parts.size() && parts[i + 1].match;
        add(piece, parts[i].begin, parts[takes_next ? i + 1 : i].end, out);
        if (takes_next) ++i;
      }
      return;
    case SplitBehavior::kMergedWithNext:
      for (size_t i = 0; i < parts.size(); ++i) {
        const bool takes_next = parts[i].match && i + 1 < parts.size() && !parts[i + 1].match;
        add(piece, parts[i].begin, parts[takes_next ? i + 1 : i].end, out);
        if (takes_next) ++i;
      }
      return;
  }
}

class Split final : public PreTokenizerOp {
 public:
  Split(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  // The scanners cover the text with matches: isolated matches and removed gaps are the same.
  const ScanStyle* scan_style() const override {
    const bool same = (behavior_ == SplitBehavior::kIsolated) ||
                      (behavior_ == SplitBehavior::kRemoved && invert_);
    return same && pattern_.scan_style().has_value() ? &*pattern_.scan_style() : nullptr;
  }

  Status apply(Pieces& pieces) const override {
    std::vector<Piece> out;
    std::vector<Part> parts;
    for (const Piece& piece : pieces.list) {
      parts.clear();
      size_t done = 0;
      RETURN_IF_ERROR(for_each_match(pattern_, piece.text, [&](size_t begin, size_t end) {
        if (begin > done) parts.push_back({done, begin, invert_});
        parts.push_back({begin, end, !invert_});
        done = end;
      }));
      if (done < piece.text.size()) parts.push_back({done, piece.text.size(), invert_});
      split_parts(piece, parts, behavior_, out);
    }
    pieces.list = std::move(out);
    return {};
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class CharSplit final : public PreTokenizerOp {
 public:
  CharSplit(CharKind kind, SplitBehavior behavior) : kind_(kind), behavior_(behavior) {}

  Status apply(Pieces& pieces) const override {
    std::vector<Piece> out;
    std::vector<Part> parts;
    for (const Piece& piece : pieces.list) {
      parts.clear();
      if (kind_ == CharKind::kWordOrSigns) {
        split_words(piece, out);
        continue;
      }
      for (size_t pos = 0; pos < piece.text.size();) {
        const size_t begin = pos;
        const bool match = matches(next_char(piece.text, pos));
        if (!match && !parts.empty() && !parts.back().match) {
          parts.back().end = pos;
        } else {
          parts.push_back({begin, pos, match});
        }
      }
      split_parts(piece, parts, behavior_, out);
    }
    pieces.list = std::move(out);
    return {};
  }

 private:
  bool matches(char32_t c) const {
    switch (kind_) {
      case CharKind::kSpace:
        return is_space(c);
      case CharKind::kPunctuation:
        return is_bert_punctuation(c);
      case CharKind::kDigit:
        return is_number(c);
      case CharKind::kWordOrSigns:
        break;
    }
    return false;
  }

  static void split_words(Piece piece, std::vector<Piece>& out) {
    enum { kSpaces, kWord, kSigns } run = kSpaces;
    size_t begin = 0;
    for (size_t pos = 0; pos < piece.text.size();) {
      const size_t at = pos;
      const char32_t c = next_char(piece.text, pos);
      const auto kind = is_word(c) ? kWord : is_space(c) ? kSpaces : kSigns;
      if (kind == run) continue;
      if (run != kSpaces) add(piece, begin, at, out);
      begin = at;
      run = kind;
    }
    if (run != kSpaces) add(piece, begin, piece.text.size(), out);
  }

  CharKind kind_;
  SplitBehavior behavior_;
};

class PrependSpace final : public PreTokenizerOp {
 public:
  Status apply(Pieces& pieces) const override {
    for (Piece& piece : pieces.list) {
      if (piece.text.starts_with(' ')) continue;
      std::string& changed = pieces.owned.emplace_back(1, ' ');
      changed.append(piece.text);
      piece.text = changed;
    }
    return {};
  }
};

class ByteLevelMap final : public PreTokenizerOp {
 public:
  Status apply(Pieces& pieces) const override {
    for (Piece& piece : pieces.list) {
      std::string& mapped = pieces.owned.emplace_back();
      append_byte_level(piece.text, mapped);
      piece.text = mapped;
    }
    return {};
  }
};

class Metaspace final : public PreTokenizerOp {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  Status apply(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.list) {
      const Piece replaced = replace(piece, pieces.owned);
      if (split_) {
        split(replaced, out);
      } else {
        out.push_back(replaced);
      }
    }
    pieces.list = std::move(out);
    return {};
  }

 private:
  Piece replace(Piece piece, std::deque<std::string>& owned) const {
    std::string& text = owned.emplace_back();
    text.reserve(piece.text.size() + piece.text.size() / 2 + replacement_.size());
    const bool prepend =
        scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && piece.at_start);
    if (prepend && !piece.text.starts_with(' ') && !piece.text.starts_with(replacement_)) {
      text.append(replacement_);
    }
    for (const char c : piece.text) {
      if (c == ' ') {
        text += replacement_;
      } else {
        text += c;
      }
    }
    return {text, piece.at_start};
  }

  // Before each replacement character.
  void split(Piece piece, std::vector<Piece>& out) const {
    size_t begin = 0;
    for (size_t pos = piece.text.find(replacement_, 1); pos < piece.text.size();
         pos = piece.text.find(replacement_, pos + 1)) {
      add(piece, begin, pos, out);
      begin = pos;
    }
    add(piece, begin, piece.text.size(), out);
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace

std::unique_ptr<PreTokenizerOp> make_split(Pattern pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}
std::unique_ptr<PreTokenizerOp> make_char_split(CharKind kind, SplitBehavior behavior) {
  return std::make_unique<CharSplit>(kind, behavior);
}
std::unique_ptr<PreTokenizerOp> make_prepend_space() { return std::make_unique<PrependSpace>(); }
std::unique_ptr<PreTokenizerOp> make_byte_level_map() { return std::make_unique<ByteLevelMap>(); }
std::unique_ptr<PreTokenizerOp> make_metaspace(std::string replacement, PrependScheme scheme,
                                               bool split) {
  return std::make_unique<Metaspace>(std::move(replacement), scheme, split);
}

}  // namespace orrery::tokenizer
