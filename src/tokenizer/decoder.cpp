#include "tokenizer/decoder.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t pos = text.find(from); pos != std::string_view::npos; pos = text.find(from)) {
    out += text.substr(0, pos);
    out += to;
    text.remove_prefix(pos + from.size());
  }
  return out += text;
}

class Output final : public DecodeStage {
 public:
  explicit Output(std::string* text) : text_(text) {}
  void push(std::string_view token) override { *text_ += token; }
  void finish() override {}

 private:
  std::string* text_;
};

class ByteLevelStage final : public DecodeStage {
 public:
  void push(std::string_view token) override {
    if (!decode_byte_level(token, bytes_)) bytes_ += token;
    const size_t held = incomplete_utf8_suffix(bytes_);
    const std::string_view ready = std::string_view(bytes_).substr(0, bytes_.size() - held);
    if (ready.empty()) return;
    next_->push(is_valid_utf8(ready) ? ready : std::string_view(replace_invalid_utf8(ready)));
    bytes_.erase(0, ready.size());
  }
  void finish() override {
    if (!bytes_.empty()) next_->push(replace_invalid_utf8(bytes_));
    bytes_.clear();
    next_->finish();
  }

 private:
  std::string bytes_;  // an incomplete character
};

class ByteFallbackStage final : public DecodeStage {
 public:
  void push(std::string_view token) override {
    if (const int byte = byte_token(token); byte >= 0) {
      run_ += static_cast<char>(byte);
      return;
    }
    flush();
    next_->push(token);
  }
  void finish() override {
    flush();
    next_->finish();
  }

 private:
  void flush() {
    if (run_.empty()) return;
    if (is_valid_utf8(run_)) {
      next_->push(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) next_->push(kReplacement);
    }
    run_.clear();
  }
  std::string run_;
};

class SpmBytesStage final : public DecodeStage {
 public:
  void push(std::string_view token) override {
    const int byte = byte_token(token);
    if (byte >= 0) run_ += static_cast<char>(byte);
    flush(byte < 0);
    if (byte < 0) next_->push(token);
  }
  void finish() override {
    flush(true);
    next_->finish();
  }

 private:
  void flush(bool all) {
    while (!run_.empty()) {
      const Utf8Char c = decode_utf8(run_);
      if (!c.valid && !all && incomplete_utf8_suffix(run_) == run_.size()) return;
      const size_t length = c.valid ? c.length : 1;
      next_->push(c.valid ? std::string_view(run_).substr(0, length) : kReplacement);
      run_.erase(0, length);
    }
  }
  std::string run_;  // at most 3 bytes between calls
};

class ReplaceStage final : public DecodeStage {
 public:
  explicit ReplaceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    std::string out;
    size_t done = 0;
    // A match limit that is exceeded leaves the rest of the token as it is.
    const Status status = for_each_match(*step_.pattern, token, [&](size_t begin, size_t end) {
      out += token.substr(done, begin - done);
      out += step_.text;
      done = end;
    });
    out += token.substr(done);
    next_->push(out);
  }
  void finish() override { next_->finish(); }

 private:
  DecoderStep step_;
};

class MetaspaceStage final : public DecodeStage {
 public:
  explicit MetaspaceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    next_->push(replace_all(token, step_.text, first_ && !step_.flag ? "" : " "));
    first_ = false;
  }
  void finish() override { next_->finish(); }
  void start_inside() override { first_ = false; }

 private:
  DecoderStep step_;
  bool first_ = true;
};

class WordPieceStage final : public DecodeStage {
 public:
  explicit WordPieceStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    std::string text;
    if (first_) {
      text = token;
    } else if (token.starts_with(step_.text)) {
      text = token.substr(step_.text.size());
    } else {
      text.push_back(' ');
      text.append(token);
    }
    first_ = false;
    next_->push(step_.flag ? clean_up(std::move(text)) : text);
  }
  void finish() override { next_->finish(); }
  void start_inside() override { first_ = false; }

 private:
  static std::string clean_up(std::string text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {
        {{" .", "."},
         {" ?", "?"},
         {" !", "!"},
         {" ,", ","},
         {" ' ", "'"},
         {" n't", "n't"},
         {" 'm", "'m"},
         {" do not", " don't"},
         {" 's", "'s"},
         {" 've", "'ve"},
         {" 're", "'re"}}};
    for (const auto& [from, to] : kRules) {
      if (text.find(from) != std::string::npos) text = replace_all(text, from, to);
    }
    return text;
  }
  DecoderStep step_;
  bool first_ = true;
};

// The suffix that ends a word is a space, except at the end of the text: one token is held back.
class BpeSuffixStage final : public DecodeStage {
 public:
  explicit BpeSuffixStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    if (held_) next_->push(replace_all(token_, step_.text, " "));
    token_ = token;
    held_ = true;
  }
  void finish() override {
    if (held_) next_->push(replace_all(token_, step_.text, ""));
    held_ = false;
    next_->finish();
  }

 private:
  DecoderStep step_;
  std::string token_;
  bool held_ = false;
};

// Drops up to `start` times the character at the begin of a string and up to `stop` at its end.
class StripStage final : public DecodeStage {
 public:
  explicit StripStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    for (uint32_t i = 0; i < step_.start && token.starts_with(step_.text); ++i) {
      token.remove_prefix(step_.text.size());
    }
    for (uint32_t i = 0; i < step_.stop && token.ends_with(step_.text); ++i) {
      token.remove_suffix(step_.text.size());
    }
    next_->push(token);
  }
  void finish() override { next_->finish(); }

 private:
  DecoderStep step_;
};

// The same for the whole text, which arrives in parts of whole characters.
class FusedStripStage final : public DecodeStage {
 public:
  explicit FusedStripStage(const DecoderStep& step) : step_(step), left_(step.start) {}
  void push(std::string_view token) override {
    while (left_ > 0 && !token.empty()) {
      if (token.starts_with(step_.text)) {
        token.remove_prefix(step_.text.size());
        --left_;
      } else {
        left_ = 0;
      }
    }
    if (token.empty()) return;
    std::string_view body = token;
    uint32_t trailing = 0;
    while (trailing < step_.stop && body.ends_with(step_.text)) {
      body.remove_suffix(step_.text.size());
      ++trailing;
    }
    if (!body.empty()) release(held_);
    if (!body.empty()) next_->push(body);
    held_ += trailing;
    if (held_ > step_.stop) release(held_ - step_.stop);
  }
  void finish() override {
    held_ = 0;
    next_->finish();
  }
  void start_inside() override { left_ = 0; }

 private:
  void release(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) next_->push(step_.text);
    held_ -= count;
  }
  DecoderStep step_;
  uint32_t left_;
  uint32_t held_ = 0;  // characters that vanish if the text ends here
};

class SpmPrefixStage final : public DecodeStage {
 public:
  explicit SpmPrefixStage(const DecoderStep& step) : step_(step) {}
  void push(std::string_view token) override {
    if (at_start_ && token.starts_with(kSpaceSymbol)) {
      token.remove_prefix(kSpaceSymbol.size());
      if (!step_.flag) at_start_ = false;
    }
    if (!token.empty()) at_start_ = false;
    next_->push(replace_all(token, kSpaceSymbol, " "));
  }
  void finish() override { next_->finish(); }
  void start_inside() override { at_start_ = false; }

 private:
  DecoderStep step_;
  bool at_start_ = true;
};

class JoinStage final : public DecodeStage {
 public:
  void push(std::string_view token) override {
    if (!first_) next_->push(" ");
    first_ = false;
    next_->push(token);
  }
  void finish() override { next_->finish(); }
  void start_inside() override { first_ = false; }

 private:
  bool first_ = true;
};

// Makes one string of all: for the rare step that cannot go on before the end.
class BufferStage final : public DecodeStage {
 public:
  void push(std::string_view token) override { text_ += token; }
  void finish() override {
    next_->push(text_);
    text_.clear();
    next_->finish();
  }

 private:
  std::string text_;
};

std::unique_ptr<DecodeStage> make_stage(const DecoderStep& step, bool fused) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return std::make_unique<ByteLevelStage>();
    case Kind::kByteFallback:
      return std::make_unique<ByteFallbackStage>();
    case Kind::kSpmBytes:
      return std::make_unique<SpmBytesStage>();
    case Kind::kReplace:
      return std::make_unique<ReplaceStage>(step);
    case Kind::kMetaspace:
      return std::make_unique<MetaspaceStage>(step);
    case Kind::kWordPiece:
      return std::make_unique<WordPieceStage>(step);
    case Kind::kBpeSuffix:
      return std::make_unique<BpeSuffixStage>(step);
    case Kind::kStrip:
      if (fused) return std::make_unique<FusedStripStage>(step);
      return std::make_unique<StripStage>(step);
    case Kind::kSpmPrefix:
      return std::make_unique<SpmPrefixStage>(step);
    case Kind::kJoinWithSpace:
      return std::make_unique<JoinStage>();
    case Kind::kFuse:
      break;
  }
  return nullptr;
}

}  // namespace

int byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  const int high = digit(token[3]);
  const int low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

DecodeChain::DecodeChain(const std::vector<DecoderStep>& steps)
    : output_(std::make_unique<std::string>()) {
  using Kind = DecoderStep::Kind;
  bool fused = false;
  for (const DecoderStep& step : steps) {
    if (step.kind == Kind::kFuse) {
      fused = true;
      continue;
    }
    if (fused && step.kind != Kind::kStrip) stages_.push_back(std::make_unique<BufferStage>());
    stages_.push_back(make_stage(step, fused));
    fused = fused || step.kind == Kind::kByteLevel;
  }
  stages_.push_back(std::make_unique<Output>(output_.get()));
  for (size_t i = 0; i + 1 < stages_.size(); ++i) stages_[i]->set_next(stages_[i + 1].get());
  first_ = stages_.front().get();
}

DecodeChain::~DecodeChain() = default;

void DecodeChain::start_inside() {
  for (const auto& stage : stages_) stage->start_inside();
}

std::string DecodeChain::take() {
  std::string text = std::move(*output_);
  output_->clear();
  return text;
}

}  // namespace orrery::tokenizer
