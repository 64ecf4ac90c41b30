#include "server/openai_request.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace orrery::server {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxFields = 1000;        // of a body; each known name looks at each of them
constexpr int64_t kMaxSequences = 4096;    // prompts × n
constexpr int64_t kDefaultMaxTokens = 16;  // of completions, as OpenAI's

int64_t now_unix() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void set_format(const ServedModel& model, const CallContext& context, AnswerFormat& format) {
  format.model = model.options.served_model_names.empty()
                     ? std::string()
                     : model.options.served_model_names.front();
  format.created = context.created.value_or(now_unix());
}

// One element of `prompt`: a text, or token ids.
std::optional<Prompt> read_prompt(JsonFields& fields, const ServedModel& model,
                                  const OrderedJson& value, bool add_special_tokens, bool echo) {
  Prompt prompt;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    auto ids = model.encode(text, add_special_tokens);
    if (!ids.ok()) {
      fields.fail(ids.error());
      return std::nullopt;
    }
    prompt.token_ids = std::move(*ids);
    if (echo) prompt.echo = text;
    return prompt;
  }
  const OrderedJson* bad = &value;
  if (!value.is_array() || !append_ids(value, model.vocab_size, prompt.token_ids, bad)) {
    fields.fail_expected("prompt",
                         fmt::format("text or token ids from 0 to {}", model.vocab_size - 1), *bad);
    return std::nullopt;
  }
  if (echo && model.llm.tokenizer() != nullptr) {
    auto text = model.llm.tokenizer()->decode(prompt.token_ids);
    if (text.ok()) prompt.echo = std::move(*text);
  }
  return prompt;
}

void read_prompts(JsonFields& fields, const ServedModel& model, bool echo, GenerationCall& call) {
  const OrderedJson* value = fields.find("prompt");
  if (value == nullptr) {
    return fields.fail("prompt", "expected text, token ids, or a list of one of them; got none");
  }
  bool add_special_tokens = true;
  fields.read("add_special_tokens", add_special_tokens);
  // A list of numbers is one prompt, any other list several.
  const bool several = value->is_array() && !value->empty() && !value->front().is_number();
  const size_t count = several ? value->size() : 1;
  if (static_cast<int64_t>(count) > model.options.max_prompts ||
      static_cast<int64_t>(count) * std::max(call.request.n, call.request.best_of) >
          kMaxSequences) {
    return fields.fail("prompt", fmt::format("expected at most {} prompts and {} answers in all, "
                                             "got {} prompts",
                                             model.options.max_prompts, kMaxSequences, count));
  }
  for (size_t i = 0; i < count && fields.ok(); ++i) {
    auto prompt =
        read_prompt(fields, model, several ? (*value)[i] : *value, add_special_tokens, echo);
    if (prompt) call.prompts.push_back(std::move(*prompt));
  }
}

// Keeps the last tokens of a prompt; -1: as many as leave room for the answer.
void truncate(JsonFields& fields, const ServedModel& model, std::optional<int64_t> max_tokens,
              GenerationCall& call) {
  std::optional<int64_t> limit;
  fields.read("truncate_prompt_tokens", limit, -1, model.max_model_len);
  if (!limit) return;
  if (*limit == 0) return fields.fail("truncate_prompt_tokens", "expected -1 or at least 1, got 0");
  if (*limit == -1) limit = std::max<int64_t>(1, model.max_model_len - max_tokens.value_or(1));
  for (Prompt& prompt : call.prompts) {
    std::vector<int32_t>& ids = prompt.token_ids;
    const auto excess = static_cast<int64_t>(ids.size()) - *limit;
    if (excess > 0) ids.erase(ids.begin(), ids.begin() + excess);
  }
}

// The last steps, when prompts and parameters are known; without `max_tokens`, what the context
// leaves.
void finish(JsonFields& fields, const ServedModel& model, std::string_view prompt_param,
            std::string_view max_tokens_param, std::optional<int64_t> max_tokens,
            GenerationCall& call) {
  if (!fields.ok()) return;
  if (max_tokens && *max_tokens < 1) {
    return fields.fail(max_tokens_param, fmt::format("expected at least 1, got {}", *max_tokens));
  }
  truncate(fields, model, max_tokens, call);
  for (const Prompt& prompt : call.prompts) {
    if (prompt.token_ids.empty()) {
      return fields.fail(prompt_param, "expected at least one token, got none");
    }
    if (auto error = check_length(prompt.token_ids.size(), max_tokens.value_or(1),
                                  model.max_model_len, prompt_param)) {
      return fields.fail(std::move(*error));
    }
  }
  llm::GenerationParams& params = call.request.params;
  params.max_tokens = max_tokens.value_or(
      model.max_model_len - static_cast<int64_t>(call.prompts.front().token_ids.size()));
  if (params.sampling.min_tokens > params.max_tokens) {
    return fields.fail("min_tokens",
                       fmt::format("expected at most {} = {}, got {}", max_tokens_param,
                                   params.max_tokens, params.sampling.min_tokens));
  }
  sampler::SamplingParams checked = params.sampling;
  checked.eos_token_ids = model.llm.eos_token_ids();
  if (const Status status = sampler::validate(checked, model.vocab_size); !status.ok()) {
    fields.fail(api_error_of(status));
  }
}

}  // namespace

ServedModel::ServedModel(const llm::Llm& served, int64_t context_length, const OpenAiOptions& given)
    : llm(served),
      options(given),
      vocab_size(served.model().config().vocab_size),
      max_model_len(context_length) {}

ApiResult<std::vector<int32_t>> ServedModel::encode(std::string_view text,
                                                    bool add_special_tokens) const {
  if (llm.tokenizer() == nullptr) {
    return bad_parameter("prompt", "expected token ids: this model has no tokenizer");
  }
  auto ids = llm.tokenizer()->encode(text, {.add_special_tokens = add_special_tokens});
  if (!ids.ok())
    return bad_parameter("prompt", "cannot be tokenised within the limits of matching");
  for (const int32_t id : *ids) {
    if (id >= vocab_size) {
      return bad_parameter("prompt", fmt::format("its token {} is one that the model lacks", id));
    }
  }
  return std::move(*ids);
}

std::optional<ApiError> check_length(size_t prompt_tokens, int64_t max_tokens,
                                     int64_t max_model_len, std::string_view param) {
  const auto length = static_cast<int64_t>(prompt_tokens);
  if (length + max_tokens <= max_model_len) return std::nullopt;
  ApiError error = bad_parameter(
      param, fmt::format("This model's maximum context length is {} tokens. However, you requested "
                         "{} tokens ({} in the prompt, {} in the completion). Please reduce the "
                         "length of the prompt or the completion.",
                         max_model_len, length + max_tokens, length, max_tokens));
  error.message = error.message.substr(param.size() + 2);  // the sentence that clients look for
  error.code = "context_length_exceeded";
  return error;
}

ApiResult<OrderedJson> parse_body(std::string_view body, const OpenAiOptions& options) {
  constexpr size_t kMaxDepth = 64;
  auto json = parse_ordered_json(body, "body", kMaxDepth, options.max_json_values);
  if (!json.ok()) return ApiError{.message = json.status().message(), .code = "invalid_json"};
  if (!json->is_object()) return ApiError{.message = "body: expected a JSON object"};
  if (json->size() > kMaxFields) {
    return ApiError{.message = fmt::format("body: expected at most {} fields, got {}", kMaxFields,
                                           json->size())};
  }
  return std::move(*json);
}

void check_model(JsonFields& fields, const OpenAiOptions& options) {
  std::string name;
  fields.read("model", name, 1024);
  if (!fields.ok() || name.empty()) return;
  const auto& names = options.served_model_names;
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  fields.fail(ApiError{.status = 404,
                       .message = fmt::format("The model `{}` does not exist.", name),
                       .param = "model",
                       .code = "model_not_found"});
}

ApiResult<GenerationCall> parse_completion(const OrderedJson& body, const ServedModel& model,
                                           const CallContext& context) {
  JsonFields fields(body);
  GenerationCall call;
  AnswerFormat& format = call.format;
  check_model(fields, model.options);
  set_format(model, context, format);
  read_sampling(fields, model, context, call);
  fields.read("echo", format.echo);
  fields.read("logprobs", format.logprobs, 0, model.options.max_logprobs);
  call.request.params.sampling.logprobs = format.logprobs;
  if (format.echo && format.logprobs && !format.prompt_logprobs) {
    call.request.params.sampling.prompt_logprobs = format.logprobs;
  }
  int64_t max_tokens = kDefaultMaxTokens;
  fields.read("max_tokens", max_tokens, 0, kMaxInt32);
  format.echo_only = format.echo && max_tokens == 0;
  read_prompts(fields, model, format.echo, call);
  finish(fields, model, "prompt", "max_tokens", format.echo_only ? 1 : max_tokens, call);
  if (!fields.ok()) return fields.error();
  return call;
}

ApiResult<GenerationCall> parse_chat_completion(const OrderedJson& body, const ServedModel& model,
                                                const CallContext& context) {
  JsonFields fields(body);
  GenerationCall call;
  AnswerFormat& format = call.format;
  format.chat = true;
  check_model(fields, model.options);
  set_format(model, context, format);
  read_sampling(fields, model, context, call);
  fields.read("echo", format.echo);
  bool logprobs = false;
  std::optional<int32_t> top_logprobs;
  fields.read("logprobs", logprobs);
  fields.read("top_logprobs", top_logprobs, 0, model.options.max_logprobs);
  if (top_logprobs.value_or(0) > 0 && !logprobs) {
    fields.fail("top_logprobs", "expected only with logprobs: true");
  }
  if (logprobs) format.logprobs = top_logprobs.value_or(0);
  call.request.params.sampling.logprobs = format.logprobs;

  std::optional<int64_t> max_tokens, max_completion_tokens;
  fields.read("max_tokens", max_tokens, 0, kMaxInt32);
  fields.read("max_completion_tokens", max_completion_tokens, 0, kMaxInt32);
  auto prompt = read_chat_prompt(fields, model);
  if (prompt) {
    if (!format.echo) prompt->echo.clear();
    call.prompts.push_back(std::move(*prompt));
  }
  const std::string_view param = max_completion_tokens ? "max_completion_tokens" : "max_tokens";
  finish(fields, model, "messages", param,
         max_completion_tokens ? max_completion_tokens : max_tokens, call);
  if (!fields.ok()) return fields.error();
  return call;
}

}  // namespace orrery::server
