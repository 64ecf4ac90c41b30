#include "engine/recording.h"

#include <type_traits>
#include <utility>

namespace orrery::engine {
namespace {

// ---- Values. One pair of overloads for each type that a field can have.

template <typename T>
OrderedJson encode(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int64_t>(value);
  } else {
    return value;
  }
}
OrderedJson encode(const sampler::LogitBias& bias) {
  return OrderedJson::array({bias.id, bias.bias});
}
OrderedJson encode(const TenantWeight& w) { return OrderedJson::array({w.tenant, w.weight}); }
template <typename T>
OrderedJson encode(const std::vector<T>& values) {
  OrderedJson json = OrderedJson::array();
  for (const T& value : values) json.push_back(encode(value));
  return json;
}
template <typename T>
OrderedJson encode(const std::optional<T>& value) {
  return value ? encode(*value) : OrderedJson(nullptr);
}

template <typename T>
bool decode(const Json& json, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return false;
    value = json.get<bool>();
  } else if constexpr (std::is_enum_v<T>) {
    uint8_t number = 0;
    if (!decode(json, number)) return false;
    value = static_cast<T>(number);
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer()) return false;
    const bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<uint64_t>())
                                                : std::in_range<T>(json.get<int64_t>());
    if (!fits) return false;
    value = json.get<T>();
  } else {
    static_assert(std::is_floating_point_v<T>);
    if (!json.is_number()) return false;
    value = json.get<T>();
  }
  return true;
}
template <typename A, typename B>
bool decode_pair(const Json& json, A& a, B& b) {
  return json.is_array() && json.size() == 2 && decode(json[0], a) && decode(json[1], b);
}
bool decode(const Json& json, sampler::LogitBias& bias) {
  return decode_pair(json, bias.id, bias.bias);
}
bool decode(const Json& json, TenantWeight& w) { return decode_pair(json, w.tenant, w.weight); }
template <typename T>
bool decode(const Json& json, std::vector<T>& values) {
  if (!json.is_array()) return false;
  values.resize(json.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!decode(json[i], values[i])) return false;
  }
  return true;
}
template <typename T>
bool decode(const Json& json, std::optional<T>& value) {
  if (json.is_null()) {
    value.reset();
    return true;
  }
  return decode(json, value.emplace());
}

// ---- Fields, each named once for both directions.

template <typename Visitor>
void visit_fields(SchedulerOptions& o, Visitor& field) {
  field("max_num_batched_tokens", o.max_num_batched_tokens);
  field("max_num_seqs", o.max_num_seqs);
  field("max_model_len", o.max_model_len);
  field("policy", o.policy);
  field("tenant_weights", o.tenant_weights);
  field("prefix_lookahead", o.prefix_lookahead);
  field("max_times_passed", o.max_times_passed);
  field("static_batches", o.static_batches);
  field("recompute_each_step", o.recompute_each_step);
  field("chunked_prefill", o.chunked_prefill);
  field("num_blocks", o.kv.num_blocks);
  field("reservation", o.kv.reservation);
  field("enable_prefix_caching", o.kv.enable_prefix_caching);
}

template <typename Visitor>
void visit_fields(GenerationRequest& r, Visitor& field) {
  field("max_tokens", r.request.max_tokens);
  field("priority", r.request.priority);
  field("tenant", r.request.tenant);
  field("cache_salt", r.request.space.cache_salt);
  field("adapter_id", r.request.space.adapter_id);
  field("seed", r.seed);
  field("n", r.n);
  field("ignore_eos", r.ignore_eos);
  sampler::SamplingParams& s = r.sampling;
  field("temperature", s.temperature);
  field("top_p", s.top_p);
  field("top_k", s.top_k);
  field("min_p", s.min_p);
  field("typical_p", s.typical_p);
  field("frequency_penalty", s.frequency_penalty);
  field("presence_penalty", s.presence_penalty);
  field("repetition_penalty", s.repetition_penalty);
  field("logit_bias", s.logit_bias);
  field("allowed_token_ids", s.allowed_token_ids);
  field("bad_words", s.bad_words);
  field("min_tokens", s.min_tokens);
  field("stop_token_ids", s.stop_token_ids);
  field("eos_token_ids", s.eos_token_ids);
  field("logprobs", s.logprobs);
  field("prompt_logprobs", s.prompt_logprobs);
  field("logprobs_mode", s.logprobs_mode);
}

// Says what differs from the default.
template <typename T>
OrderedJson fields_to_json(const T& value) {
  std::vector<OrderedJson> defaults;
  const auto remember = [&](const char*, auto& member) { defaults.push_back(encode(member)); };
  T standard;
  visit_fields(standard, remember);
  OrderedJson json = OrderedJson::object();
  size_t i = 0;
  const auto write = [&](const char* name, auto& member) {
    OrderedJson encoded = encode(member);
    if (encoded != defaults[i++]) json[name] = std::move(encoded);
  };
  T copy = value;
  visit_fields(copy, write);
  return json;
}

template <typename T>
Status fields_from_json(const Json& json, T& value) {
  if (!json.is_object()) return malformed("expected an object, got {}", json.type_name());
  Status status;
  size_t num_known = 0;
  const auto read = [&](const char* name, auto& member) {
    const auto it = json.find(name);
    if (it == json.end()) return;
    ++num_known;
    if (!decode(*it, member) && status.ok())
      status = malformed("{}: got {}, which is no value for it", name, dump_json(*it));
  };
  visit_fields(value, read);
  if (status.ok() && num_known != json.size())
    return unsupported("a parameter that this version does not know, in {}", dump_json(json));
  return status;
}

}  // namespace

OrderedJson to_json(const EngineOptions& options) {
  OrderedJson json;
  json["kv_dtype"] = name(options.kv_dtype);
  json["prefix_hash"] = options.scheduler.kv.hash == sha256 ? "sha256" : "xxh3";
  json["scheduler"] = fields_to_json(options.scheduler);
  return json;
}

Result<EngineOptions> engine_options_from_json(const Json& json) {
  if (!json.is_object() || !json.contains("kv_dtype") || !json["kv_dtype"].is_string() ||
      !json.contains("scheduler")) {
    return malformed("engine: expected an object with kv_dtype and scheduler, got {}",
                     dump_json(json));
  }
  EngineOptions options;
  const auto dtype = dtype_from_name(json["kv_dtype"].get<std::string>());
  if (!dtype) return malformed("engine: kv_dtype: got {}", dump_json(json["kv_dtype"]));
  options.kv_dtype = *dtype;
  if (json.contains("prefix_hash") && json["prefix_hash"] == "sha256")
    options.scheduler.kv.hash = sha256;
  const Status status = fields_from_json(json["scheduler"], options.scheduler);
  if (!status.ok()) return status.with_context("engine: scheduler");
  return options;
}

OrderedJson to_json(const GenerationRequest& request) { return fields_to_json(request); }

Result<GenerationRequest> request_from_json(const Json& json) {
  GenerationRequest request;
  const Status status = fields_from_json(json, request);
  if (!status.ok()) return status.with_context("request");
  return request;
}

}  // namespace orrery::engine
