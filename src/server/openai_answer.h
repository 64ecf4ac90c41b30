// AnswerWriter: from what becomes of a request's sequences to the JSON of its answer: one object,
// or the events of a stream. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "llm/service.h"
#include "server/json_writer.h"
#include "server/openai_logprobs.h"
#include "server/openai_request.h"

namespace orrery::server {

class AnswerWriter {
 public:
  // `tokenizer` may be null and must outlive the writer.
  AnswerWriter(AnswerFormat format, std::vector<Prompt> prompts,
               const tokenizer::Tokenizer* tokenizer);

  // What became of an answer to prompt number `prompt`; finish_reason, if set, kStop or kLength.
  // Returns the events that this makes of a stream, "data: {...}\n\n" each; "" otherwise.
  std::string add(size_t prompt, llm::Delta&& delta);
  // Every answer to every prompt has ended.
  bool complete() const { return num_finished_ == choices_.size(); }
  // Once, when complete: the rest of the stream with [DONE], or the object.
  std::string finish();

  const AnswerFormat& format() const { return format_; }

 private:
  struct Choice {
    bool begun = false;
    std::string text;  // not of a stream
    std::vector<int32_t> token_ids;
    std::optional<LogprobsWriter> logprobs;
    int64_t text_offset = 0;  // characters before the next token
    int64_t num_tokens = 0;
    std::optional<llm::FinishReason> finish_reason;
    llm::StopReason stop_reason;
  };
  struct PromptState {
    int64_t num_tokens = 0;
    int64_t num_cached_tokens = 0;
    bool has_logprobs = false;  // they have come
    std::vector<llm::PromptLogprob> logprobs;
    std::vector<llm::Delta> held;  // until they have
  };

  std::string take(size_t prompt, llm::Delta&& delta);
  void begin(size_t prompt, Choice& choice, std::string& text);
  void add_tokens(Choice& choice, const llm::Delta& delta);
  LogprobsWriter make_logprobs(int64_t text_offset) const;

  JsonWriter begin_object(std::string_view object) const;
  static void write_end_of_choice(JsonWriter& json, Choice& choice);
  void write_usage(JsonWriter& json, int64_t prompt_tokens, int64_t completion_tokens,
                   int64_t cached_tokens) const;
  void write_total_usage(JsonWriter& json) const;

  std::string role_events() const;
  std::string chunk(size_t prompt, size_t index, Choice& choice, const std::string& text,
                    bool first);
  std::string whole();
  void write_whole_choice(JsonWriter& json, size_t index);

  AnswerFormat format_;
  std::vector<Prompt> prompts_;
  TokenSpelling spelling_;
  std::vector<PromptState> states_;  // one for each prompt
  std::vector<Choice> choices_;      // n for each prompt
  size_t num_finished_ = 0;
  bool begun_ = false;
};

}  // namespace orrery::server
