#include "tokenizer/normalizer.h"

#include "base/utf8.h"

namespace orrery::tokenizer {
namespace {

// Applies map(character, out string) to each character.
template <typename Map>
void map_chars(const TrackedText& in, TrackedText& out, const Map& map) {
  std::string mapped;
  for (size_t pos = 0; pos < in.bytes.size();) {
    const size_t begin = pos;
    const char32_t c = next_char(in.bytes, pos);
    mapped.clear();
    map(c, mapped);
    out.put(mapped, in, begin, pos);
  }
}

class UnicodeForm final : public NormalizerOp {
 public:
  explicit UnicodeForm(NormalForm form) : form_(form) {}
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    Normalizer(form_).run(in.bytes, [&](std::string_view part, size_t begin, size_t end) {
      out.put(part, in, begin, end);
    });
    return {};
  }

 private:
  NormalForm form_;
};

class Lowercase final : public NormalizerOp {
 public:
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    map_chars(in, out, [](char32_t c, std::string& mapped) { append_lower(c, mapped); });
    return {};
  }
};

class StripAccents final : public NormalizerOp {
 public:
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    map_chars(in, out, [](char32_t c, std::string& mapped) {
      if (!is_mark(c)) append_utf8(c, mapped);
    });
    return {};
  }
};

class ByteLevelNormalizer final : public NormalizerOp {
 public:
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    std::string mapped;
    for (size_t i = 0; i < in.bytes.size(); ++i) {
      mapped.clear();
      append_byte_level(std::string_view(in.bytes).substr(i, 1), mapped);
      out.put(mapped, in, i);
    }
    return {};
  }
};

// The rules that SentencePiece's NMT normalizations add.
class Nmt final : public NormalizerOp {
 public:
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    map_chars(in, out, [](char32_t c, std::string& mapped) {
      if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
          c == 0x9F) {
        return;
      }
      const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      append_utf8(blank ? U' ' : c, mapped);
    });
    return {};
  }
};

class Strip final : public NormalizerOp {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    size_t begin = 0;
    size_t end = 0;  // of the last character that stays
    bool leading = left_;
    for (size_t pos = 0; pos < in.bytes.size();) {
      const size_t at = pos;
      const bool space = is_space(next_char(in.bytes, pos));
      if (leading && space) begin = pos;
      if (!space) leading = false;
      if (!space || (!right_ && at >= begin)) end = pos;
    }
    if (end <= begin) return {};
    out.bytes.append(in.bytes, begin, end - begin);
    if (out.tracked) out.flags.append(in.flags, begin, end - begin);
    return {};
  }

 private:
  bool left_, right_;
};

class Prepend final : public NormalizerOp {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    if (in.bytes.empty()) return {};
    out.put(prefix_, in, 0);
    out.bytes += in.bytes;
    out.flags += in.flags;
    return {};
  }

 private:
  std::string prefix_;
};

class Replace final : public NormalizerOp {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    size_t done = 0;
    const auto keep = [&](size_t end) {
      out.bytes.append(in.bytes, done, end - done);
      if (out.tracked) out.flags.append(in.flags, done, end - done);
    };
    RETURN_IF_ERROR(for_each_match(pattern_, in.bytes, [&](size_t begin, size_t end) {
      keep(begin);
      out.put(content_, in, begin, std::max(end, begin + 1));
      done = end;
    }));
    keep(in.bytes.size());
    return {};
  }

 private:
  Pattern pattern_;
  std::string content_;
};

bool is_cjk_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class BertNormalizer final : public NormalizerOp {
 public:
  explicit BertNormalizer(const BertNormalizerConfig& config) : config_(config) {}

  Status apply(const TrackedText& in, bool, TrackedText& out) const override {
    TrackedText text;
    text.tracked = in.tracked;
    map_chars(in, text, [&](char32_t c, std::string& mapped) { first_pass(c, mapped); });
    if (config_.strip_accents) {
      TrackedText decomposed;
      decomposed.tracked = in.tracked;
      Normalizer(NormalForm::kNfd)
          .run(text.bytes, [&](std::string_view part, size_t begin, size_t end) {
            decomposed.put(part, text, begin, end);
          });
      text = std::move(decomposed);
    }
    map_chars(text, out, [&](char32_t c, std::string& mapped) {
      if (config_.strip_accents && category(c) == UTF8PROC_CATEGORY_MN) return;
      if (config_.lowercase) {
        append_lower(c, mapped);
      } else {
        append_utf8(c, mapped);
      }
    });
    return {};
  }

 private:
  void first_pass(char32_t c, std::string& mapped) const {
    if (config_.clean_text) {
      const int k = category(c);
      const bool control =
          k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
      if (c == 0xFFFD || (control && c != '\t' && c != '\n' && c != '\r')) return;
      if (is_space(c)) {
        mapped += ' ';
        return;
      }
    }
    const bool pad = config_.handle_chinese_chars && is_cjk_ideograph(c);
    if (pad) mapped += ' ';
    append_utf8(c, mapped);
    if (pad) mapped += ' ';
  }

  BertNormalizerConfig config_;
};

}  // namespace

Status normalize_text(const NormalizerOps& ops, bool at_start, TrackedText& text) {
  for (const auto& op : ops) {
    TrackedText next;
    next.tracked = text.tracked;
    next.bytes.reserve(text.bytes.size() + 16);
    RETURN_IF_ERROR(op->apply(text, at_start, next));
    text = std::move(next);
  }
  return {};
}

std::unique_ptr<NormalizerOp> make_unicode_form(NormalForm form) {
  return std::make_unique<UnicodeForm>(form);
}
std::unique_ptr<NormalizerOp> make_lowercase() { return std::make_unique<Lowercase>(); }
std::unique_ptr<NormalizerOp> make_strip_accents() { return std::make_unique<StripAccents>(); }
std::unique_ptr<NormalizerOp> make_strip(bool left, bool right) {
  return std::make_unique<Strip>(left, right);
}
std::unique_ptr<NormalizerOp> make_prepend(std::string prefix) {
  return std::make_unique<Prepend>(std::move(prefix));
}
std::unique_ptr<NormalizerOp> make_replace(Pattern pattern, std::string content) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}
std::unique_ptr<NormalizerOp> make_byte_level_normalizer() {
  return std::make_unique<ByteLevelNormalizer>();
}
std::unique_ptr<NormalizerOp> make_nmt() { return std::make_unique<Nmt>(); }
std::unique_ptr<NormalizerOp> make_bert_normalizer(const BertNormalizerConfig& config) {
  return std::make_unique<BertNormalizer>(config);
}

}  // namespace orrery::tokenizer
