// The parameters that completions and chat completions share.
#include <algorithm>
#include <array>
#include <limits>
#include <random>

#include "server/openai_request.h"

namespace orrery::server {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMinInt64 = std::numeric_limits<int64_t>::min();
constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
// Each stop string and each bad word costs time at every token.
constexpr size_t kMaxStops = 64, kMaxStopBytes = 1024;
constexpr size_t kMaxBadWords = 1024, kMaxBadWordBytes = 256;

// What would change the answer and is not there; null, false and "" ask for nothing.
constexpr std::array kUnsupported = {"guided_json",       "guided_regex",       "guided_choice",
                                     "guided_grammar",    "structured_outputs", "use_beam_search",
                                     "logits_processors", "prompt_embeds",      "suffix",
                                     "kv_transfer_params"};

void refuse_unsupported(JsonFields& fields) {
  for (const char* name : kUnsupported) {
    const OrderedJson* value = fields.find(name);
    if (value == nullptr || *value == false || *value == "") continue;
    fields.fail(name, "is not supported by this server");
  }
  const OrderedJson* format = fields.find_object("response_format");
  if (format == nullptr) return;
  const auto type = format->find("type");
  if (type == format->end() || !type->is_string()) {
    fields.fail("response_format", "expected an object with a type");
  } else if (*type != "text") {
    fields.fail("response_format", fmt::format("expected type \"text\", the only one that is "
                                               "supported, got {}",
                                               quoted(*type)));
  }
}

void read_filters(JsonFields& fields, sampler::SamplingParams& sampling) {
  fields.read("temperature", sampling.temperature);
  fields.read("top_p", sampling.top_p);
  fields.read("top_k", sampling.top_k, -1, kMaxInt32);
  fields.read("min_p", sampling.min_p);
  fields.read("typical_p", sampling.typical_p);
  fields.read("frequency_penalty", sampling.frequency_penalty);
  fields.read("presence_penalty", sampling.presence_penalty);
  fields.read("repetition_penalty", sampling.repetition_penalty);
}

// {"<token id>": bias}; biases beyond ±100 act as ±100.
void read_logit_bias(JsonFields& fields, int64_t vocab_size, sampler::SamplingParams& sampling) {
  const OrderedJson* biases = fields.find_object("logit_bias");
  if (biases == nullptr) return;
  if (static_cast<int64_t>(biases->size()) > vocab_size) {
    return fields.fail("logit_bias", fmt::format("expected at most {} tokens, got {}", vocab_size,
                                                 biases->size()));
  }
  for (auto bias = biases->begin(); bias != biases->end(); ++bias) {
    const std::string& key = bias.key();
    const bool digits =
        !key.empty() && key.size() <= 10 &&
        std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    const int64_t id = digits ? std::stoll(key) : -1;
    if (id < 0 || id >= vocab_size) {
      return fields.fail_expected("logit_bias",
                                  fmt::format("token ids from 0 to {} as keys", vocab_size - 1),
                                  OrderedJson(key));
    }
    if (!bias->is_number()) return fields.fail_expected("logit_bias", "numbers", *bias);
    sampling.logit_bias.push_back(
        {static_cast<int32_t>(id),
         static_cast<float>(std::clamp(bias->get<double>(), -100.0, 100.0))});
  }
}

// A word is forbidden at the begin of a text and after a space, where that is one token sequence of
// the same length, as in vLLM.
void read_bad_words(JsonFields& fields, const ServedModel& model,
                    sampler::SamplingParams& sampling) {
  std::vector<std::string> words;
  fields.read_texts("bad_words", words, kMaxBadWords, kMaxBadWordBytes);
  for (const std::string& given : words) {
    const std::string word =
        given.substr(std::min(given.find_first_not_of(" \t\n\r"), given.size()));
    auto plain = model.encode(word, false);
    auto spaced = model.encode(" " + word, false);
    if (!plain.ok()) return fields.fail(plain.error());
    if (!spaced.ok()) return fields.fail(spaced.error());
    if (plain->empty()) return fields.fail("bad_words", "expected words that have tokens");
    const bool also_spaced = spaced->size() == plain->size() && spaced->front() != plain->front();
    sampling.bad_words.push_back(std::move(*plain));
    if (also_spaced) sampling.bad_words.push_back(std::move(*spaced));
  }
}

void read_stop_conditions(JsonFields& fields, const ServedModel& model,
                          llm::GenerationParams& params) {
  fields.read_texts("stop", params.stop, kMaxStops, kMaxStopBytes);
  fields.read_ids("stop_token_ids", params.sampling.stop_token_ids, model.vocab_size);
  fields.read("include_stop_str_in_output", params.include_stop_str_in_output);
  fields.read("ignore_eos", params.ignore_eos);
  fields.read("skip_special_tokens", params.skip_special_tokens);
  fields.read("min_tokens", params.sampling.min_tokens, 0, kMaxInt32);
  if (fields.has("allowed_token_ids")) {
    sampler::SamplingParams& sampling = params.sampling;
    fields.read_ids("allowed_token_ids", sampling.allowed_token_ids.emplace(), model.vocab_size);
  }
}

void read_answers(JsonFields& fields, GenerationCall& call) {
  llm::CompletionRequest& request = call.request;
  fields.read("n", request.n, 1, llm::kMaxN);
  call.format.n = request.n;
  if (!call.format.chat) fields.read("best_of", request.best_of, request.n, llm::kMaxN);
  fields.read("stream", call.format.stream);
  if (call.format.stream && request.best_of > request.n) {
    fields.fail("best_of", "expected at most n with stream, since nothing is known before the end");
  }
  const OrderedJson* options = fields.find_object("stream_options");
  if (options == nullptr) return;
  if (!call.format.stream) return fields.fail("stream_options", "expected only with stream");
  JsonFields stream(*options, "stream_options.");
  stream.read("include_usage", call.format.include_usage);
  stream.read("continuous_usage_stats", call.format.continuous_usage);
  call.format.continuous_usage &= call.format.include_usage;
  if (!stream.ok()) fields.fail(stream.error());
}

std::string random_id() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return fmt::format("{:016x}{:016x}", generator(), generator());
}

// The client's own id stands in the answer and nowhere else.
void read_identity(JsonFields& fields, const CallContext& context, GenerationCall& call) {
  std::string id = context.request_id;
  fields.read("request_id", id, 256);
  if (id.empty()) id = random_id();
  call.format.id = (call.format.chat ? "chatcmpl-" : "cmpl-") + id;
  call.request.tenant = context.tenant;
  fields.read("priority", call.request.priority, std::numeric_limits<int32_t>::min(), kMaxInt32);
  fields.read("cache_salt", call.request.cache_salt, 1024);
  const OrderedJson* salt = fields.find("cache_salt");
  if (salt != nullptr && *salt == "")
    fields.fail("cache_salt", "expected a string that is not empty");
}

}  // namespace

void read_sampling(JsonFields& fields, const ServedModel& model, const CallContext& context,
                   GenerationCall& call) {
  llm::GenerationParams& params = call.request.params;
  params.sampling = model.llm.sampling_defaults();
  refuse_unsupported(fields);
  read_identity(fields, context, call);
  read_answers(fields, call);
  read_filters(fields, params.sampling);
  read_stop_conditions(fields, model, params);
  read_logit_bias(fields, model.vocab_size, params.sampling);
  read_bad_words(fields, model, params.sampling);
  fields.read("return_token_ids", call.format.return_token_ids);
  fields.read("return_tokens_as_token_ids", call.format.tokens_as_ids);
  fields.read("prompt_logprobs", call.format.prompt_logprobs, 0, model.options.max_logprobs);
  if (call.format.prompt_logprobs && call.format.stream) {
    fields.fail("prompt_logprobs", "expected without stream");
  }
  params.sampling.prompt_logprobs = call.format.prompt_logprobs;

  std::optional<int64_t> seed;
  fields.read("seed", seed, kMinInt64, kMaxInt64);
  if (seed == -1) seed.reset();  // vLLM's "none"
  if (!seed && context.default_seed) seed = static_cast<int64_t>(*context.default_seed);
  params.sampling.seed = seed;
}

}  // namespace orrery::server
