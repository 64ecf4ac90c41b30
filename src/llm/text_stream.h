// TextStream: the tokens of one sequence → text that is certain: characters are complete, stop
// strings cannot follow.
//
// Borrows the tokenizer. One per sequence, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "llm/generation.h"
#include "llm/stop_strings.h"
#include "tokenizer/tokenizer.h"
#include "trace/trace_writer.h"

namespace orrery::llm {

class TextStream {
 public:
  // The text goes on after `prompt`: a first word keeps the space before it.
  TextStream(const tokenizer::Tokenizer& tokenizer, std::span<const int32_t> prompt,
             const GenerationParams& params);

  // `ends`: this token ends the sequence, and so has text only if include_stop_str_in_output.
  // Errors: kInvalidArgument for an id that the tokenizer lacks.
  Result<std::string> push(int32_t token, bool ends);
  // The rest: an incomplete character becomes U+FFFD. push() is not allowed after.
  std::string finish();

  bool stopped() const { return stops_.matched(); }
  const std::string& stop_string() const { return stops_.match(); }
  // Text that may become a stop string.
  std::string_view held_back() const { return stops_.held_back(); }

  // Tells the log what the last call released and what it held back.
  void write_trace(trace::TraceWriter& trace, uint64_t step, uint32_t sequence,
                   std::string_view released);

 private:
  const tokenizer::Tokenizer& tokenizer_;
  tokenizer::Detokenizer detokenizer_;
  StopStrings stops_;
  bool include_stop_;
  int32_t min_tokens_;
  int32_t num_tokens_ = 0;
  std::string incomplete_;  // bytes of a character that has begun
  int64_t num_released_ = 0;
};

}  // namespace orrery::llm
