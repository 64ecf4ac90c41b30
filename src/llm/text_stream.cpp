#include "llm/text_stream.h"

#include "base/utf8.h"

namespace orrery::llm {

TextStream::TextStream(const tokenizer::Tokenizer& tokenizer, std::span<const int32_t> prompt,
                       const GenerationParams& params)
    : tokenizer_(tokenizer),
      detokenizer_(tokenizer, params.skip_special_tokens),
      stops_(params.stop, params.include_stop_str_in_output),
      include_stop_(params.include_stop_str_in_output),
      min_tokens_(params.sampling.min_tokens) {
  detokenizer_.prime(prompt);
}

Result<std::string> TextStream::push(int32_t token, bool ends) {
  ++num_tokens_;
  if (ends && !include_stop_) return std::string();
  // A model may have ids that its tokenizer lacks (padding of the embedding): they have no text.
  if (token >= tokenizer_.vocab_size()) return std::string();
  ASSIGN_OR_RETURN(const std::string text, detokenizer_.push(token));
  incomplete_ += tokenizer_.token_bytes(token);
  incomplete_.erase(0, incomplete_.size() - incomplete_utf8_suffix(incomplete_));
  return num_tokens_ > min_tokens_ ? stops_.push(text) : stops_.push_unmatched(text);
}

std::string TextStream::finish() {
  std::string rest = stops_.push(detokenizer_.finish());
  rest += stops_.finish();
  incomplete_.clear();
  return rest;
}

void TextStream::write_trace(trace::TraceWriter& trace, uint64_t step, uint32_t sequence,
                             std::string_view released) {
  num_released_ += static_cast<int64_t>(released.size());
  if (!trace.wanted()) return;
  const auto write = [&](trace::EventKind kind, size_t bytes, int64_t so_far,
                         trace::Reason reason) {
    trace.write({step,
                 sequence,
                 kind,
                 reason,
                 0,
                 {static_cast<int32_t>(bytes), static_cast<int32_t>(so_far)}});
  };
  if (!released.empty())
    write(trace::EventKind::kTextReleased, released.size(), num_released_, trace::Reason::kNone);
  if (!incomplete_.empty())
    write(trace::EventKind::kTextHeldBack, incomplete_.size(), 0, trace::Reason::kIncompleteUtf8);
  if (!held_back().empty())
    write(trace::EventKind::kTextHeldBack, held_back().size(), 0, trace::Reason::kStopString);
}

}  // namespace orrery::llm
