// From the body of a completion or chat completion to what the engine is asked and how the answer
// is to look. Everything is checked here: what passes can only be refused for want of room.
//
// Parameters mean what they mean in vLLM's server, which is OpenAI's meaning where OpenAI has one.
// Fields that nobody knows are ignored; known ones that are not supported are refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/service.h"
#include "server/json_fields.h"
#include "server/openai_service.h"

namespace orrery::server {

// The model that answers. Borrows; cheap to copy.
struct ServedModel {
  const llm::Llm& llm;
  const OpenAiOptions& options;
  int64_t vocab_size;
  int64_t max_model_len;

  ServedModel(const llm::Llm& served, int64_t context_length, const OpenAiOptions& given);
  // Errors: 400 for a model without a tokenizer.
  ApiResult<std::vector<int32_t>> encode(std::string_view text, bool add_special_tokens) const;
};

struct Prompt {
  std::vector<int32_t> token_ids;
  std::string echo;  // the text that comes before the answer's
};

// How the answer is to be written.
struct AnswerFormat {
  bool chat = false;
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;
  bool echo = false;
  bool echo_only = false;  // max_tokens 0: one token is generated and not shown
  bool return_token_ids = false;
  bool tokens_as_ids = false;              // "token_id:17" instead of text in log-probabilities
  std::optional<int32_t> logprobs;         // K most probable tokens beside the chosen one
  std::optional<int32_t> prompt_logprobs;  // vLLM's prompt_logprobs
  int32_t n = 1;
  std::string id;
  std::string model;
  int64_t created = 0;
};

struct GenerationCall {
  std::vector<Prompt> prompts;     // at least one
  llm::CompletionRequest request;  // the same for all, without the prompt
  AnswerFormat format;
};

// The body as an object. Errors: 400.
ApiResult<OrderedJson> parse_body(std::string_view body, const OpenAiOptions& options);

// `body` is an object. Errors: 400, 404 for a model that is not served.
ApiResult<GenerationCall> parse_completion(const OrderedJson& body, const ServedModel& model,
                                           const CallContext& context);
ApiResult<GenerationCall> parse_chat_completion(const OrderedJson& body, const ServedModel& model,
                                                const CallContext& context);

// A fault in `fields` if the body names a model that is not served.
void check_model(JsonFields& fields, const OpenAiOptions& options);

// Temperature, penalties, stop conditions, seed, logit bias ...; what both kinds of completion
// share.
void read_sampling(JsonFields& fields, const ServedModel& model, const CallContext& context,
                   GenerationCall& call);

// The ids of a chat's `messages`, through the model's template; a chat's further fields (tools,
// add_generation_prompt, continue_final_message, chat_template_kwargs, add_special_tokens) are read
// from `fields`. Sets echo to the last message if it is the assistant's.
std::optional<Prompt> read_chat_prompt(JsonFields& fields, const ServedModel& model);

// The error of a prompt that leaves no room for `max_tokens`; nothing if it fits.
std::optional<ApiError> check_length(size_t prompt_tokens, int64_t max_tokens,
                                     int64_t max_model_len, std::string_view param);

}  // namespace orrery::server
