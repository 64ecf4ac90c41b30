#include "server/metrics.h"

#include <algorithm>

namespace orrery::server {
namespace {

using trace::EventKind;

// vLLM's bounds, with finer ones below for models that answer faster.
constexpr double kFirstTokenBounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                        0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                        20,    40,    80,   160,  640,  2560};
constexpr double kIntakeBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                    0.005,  0.01,    0.025,  0.1,   1};
constexpr double kTokenBounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,
                                   0.15,  0.2,    0.3,   0.4,  0.5,   0.75, 1,     2.5,
                                   5,     7.5,    10,    20,   40,    80};
constexpr double kRequestBounds[] = {0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1,    1.5,
                                     2,    2.5,  5,   10,  15,  20,  30,   40,
                                     50,   60,   120, 240, 480, 960, 1920, 7680};
constexpr double kIterationBounds[] = {1,   8,    16,   32,   64,   128,  256,
                                       512, 1024, 2048, 4096, 8192, 16384};
constexpr const char* kFinishedReasons[] = {"stop", "length", "abort", "error"};

size_t index_of(llm::FinishReason reason) {
  switch (reason) {
    case llm::FinishReason::kStop:
      return 0;
    case llm::FinishReason::kLength:
      return 1;
    case llm::FinishReason::kAbort:
      return 2;
    default:
      return 3;
  }
}

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

}  // namespace

LogTimes::LogTimes()
    : queue(kRequestBounds),
      prefill(kRequestBounds),
      decode(kRequestBounds),
      iteration_tokens(kIterationBounds) {}

void LogTimes::forget() {
  sequences_.clear();
  touched_.clear();
}

void LogTimes::on_event(const trace::Event& event) {
  if (event.kind == EventKind::kStepPlanned) {
    if (event.value[0] > 0) iteration_tokens.observe(event.value[0]);
    return;
  }
  if (event.kind == EventKind::kStepTimed) return end_step(event);
  if (event.kind == EventKind::kArrived) {
    sequences_[event.request].arrived = clock_;
    return;
  }
  const auto found = sequences_.find(event.request);
  if (found == sequences_.end()) return;
  Sequence& sequence = found->second;
  if (event.kind == EventKind::kAdmitted && sequence.admitted < 0) {
    sequence.admitted = clock_;
    queue.observe(clock_ - sequence.arrived);
  } else if (event.kind == EventKind::kSampled && !sequence.has_token) {
    sequence.has_token = true;
    touched_.push_back(event.request);
  } else if (event.kind == EventKind::kFinished) {
    sequence.finished = true;
    touched_.push_back(event.request);
  }
}

// The step's tokens are there when it ends, and only now it is known how long it took.
void LogTimes::end_step(const trace::Event& event) {
  for (const int32_t us : event.value) clock_ += us * 1e-6;
  for (const uint32_t request : touched_) {
    const auto found = sequences_.find(request);
    if (found == sequences_.end()) continue;
    Sequence& sequence = found->second;
    if (sequence.has_token && sequence.first_token < 0) {
      sequence.first_token = clock_;
      if (sequence.admitted >= 0) prefill.observe(clock_ - sequence.admitted);
    }
    if (sequence.finished) {
      if (sequence.has_token) decode.observe(clock_ - sequence.first_token);
      sequences_.erase(found);
    }
  }
  touched_.clear();
}

RequestTimer::RequestTimer(Metrics& metrics, size_t num_prompt_tokens, int32_t n)
    : metrics_(metrics), num_prompt_tokens_(num_prompt_tokens), answers_(static_cast<size_t>(n)) {}

void RequestTimer::on_delta(const llm::Delta& delta) {
  const Clock::time_point now = Clock::now();
  const auto index = static_cast<size_t>(delta.index);
  if (index >= answers_.size()) return;
  Answer& answer = answers_[index];
  const std::lock_guard<std::mutex> lock(metrics_.mutex_);
  if (!delta.tokens.empty()) {
    if (!std::exchange(has_token_, true)) {
      metrics_.time_to_first_token_.observe(seconds_between(begun_, now));
    }
    if (answer.num_tokens > 0) {
      // Tokens that come together share the time since the last.
      const auto n = static_cast<double>(delta.tokens.size());
      metrics_.inter_token_latency_.observe(seconds_between(answer.last, now) / n,
                                            delta.tokens.size());
    }
    answer.last = now;
    answer.num_tokens += delta.tokens.size();
  }
  if (delta.finish_reason) {
    ++metrics_.finished_[index_of(*delta.finish_reason)];
    metrics_.e2e_latency_.observe(seconds_between(begun_, now));
    metrics_.generation_tokens_.observe(static_cast<double>(answer.num_tokens));
    metrics_.prompt_tokens_.observe(static_cast<double>(num_prompt_tokens_));
  }
}

Metrics::Metrics(const llm::Service& service, trace::EventRing& ring, MetricsOptions options)
    : service_(service),
      options_(std::move(options)),
      intake_(kIntakeBounds),
      time_to_first_token_(kFirstTokenBounds),
      inter_token_latency_(kTokenBounds),
      e2e_latency_(kRequestBounds),
      prompt_tokens_(one_two_five(static_cast<double>(service.scheduler_options().max_model_len))),
      generation_tokens_(prompt_tokens_.bounds()),
      reader_(ring.reader()),
      thread_([this] { read_log(); }) {}

Metrics::~Metrics() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Metrics::watch(OpenAiOptions& protocol) {
  protocol.observe = [this](const llm::CompletionRequest& request) {
    auto timer = std::make_shared<RequestTimer>(*this, request.prompt_token_ids.size(), request.n);
    return [timer](const llm::Delta& delta) { timer->on_delta(delta); };
  };
  protocol.queued = [this](const CallContext& context) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard<std::mutex> lock(mutex_);
    intake_.observe(seconds_between(context.received, now));
  };
}

void Metrics::read_log() {
  std::vector<trace::Event> events(4096);
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const trace::EventRing::Reader::Read read = reader_.read(events);
    if (read.lost > 0) log_times_.forget();
    for (size_t i = 0; i < read.count; ++i) log_times_.on_event(events[i]);
    // A full read: there is more.
    const auto wait =
        read.count == events.size() ? std::chrono::milliseconds(0) : options_.log_period;
    wake_.wait_for(lock, wait, [this] { return stop_; });
  }
}

void Metrics::add_service(MetricsText& text) const {
  const llm::ServiceStats stats = service_.stats();
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  const double used =
      stats.num_blocks == 0 ? 0 : number(stats.num_used_blocks) / number(stats.num_blocks);
  text.gauge("vllm:num_requests_running", "Requests in the engine's batch.",
             number(stats.num_running));
  text.gauge("vllm:num_requests_waiting", "Requests that wait for the engine.",
             number(stats.num_waiting));
  text.gauge("vllm:kv_cache_usage_perc", "KV blocks in use; 1 is all.", used);
  text.gauge("vllm:gpu_cache_usage_perc",
             "The same as vllm:kv_cache_usage_perc, under its old name.", used);
  text.counter("vllm:prompt_tokens_total", "Tokens of prompts.", number(stats.num_prompt_tokens));
  text.counter("vllm:generation_tokens_total", "Tokens generated.",
               number(stats.num_generated_tokens));
  for (const std::string_view prefix : {"vllm:prefix_cache", "vllm:gpu_prefix_cache"}) {
    text.counter(std::string(prefix) + "_queries_total",
                 "Prompt tokens looked up in the prefix cache.",
                 number(stats.prefix_cache_queries));
    text.counter(std::string(prefix) + "_hits_total", "Prompt tokens found in the prefix cache.",
                 number(stats.prefix_cache_hits));
  }
  text.counter("vllm:num_preemptions_total",
               "Requests taken out of the batch to free their blocks.",
               number(stats.num_preemptions));
  text.family("vllm:cache_config_info", "gauge", "Settings of the KV cache.");
  text.sample(1,
              {{"block_size", std::to_string(engine::kBlockSize)},
               {"num_gpu_blocks", std::to_string(stats.num_blocks)},
               {"enable_prefix_caching", service_.techniques().prefix_cache ? "True" : "False"}});
}

std::string Metrics::text() const {
  MetricsText text({{"model_name", options_.model_name}, {"engine", "0"}});
  add_service(text);
  const std::lock_guard<std::mutex> lock(mutex_);
  text.family("vllm:request_success_total", "counter", "Answers that have ended.");
  for (size_t i = 0; i < finished_.size(); ++i) {
    text.sample(static_cast<double>(finished_[i]), {{"finished_reason", kFinishedReasons[i]}});
  }
  text.histogram("orrery:request_intake_seconds",
                 "From a request's last byte to its tokens in the engine's queue.", intake_);
  text.histogram("vllm:time_to_first_token_seconds", "From a request to its first token.",
                 time_to_first_token_);
  text.histogram("vllm:inter_token_latency_seconds", "Between two tokens of an answer.",
                 inter_token_latency_);
  text.histogram("vllm:e2e_request_latency_seconds", "From a request to the end of its answer.",
                 e2e_latency_);
  text.histogram("vllm:request_queue_time_seconds", "From a request's arrival to its first step.",
                 log_times_.queue);
  text.histogram("vllm:request_prefill_time_seconds",
                 "From a request's first step to its first token.", log_times_.prefill);
  text.histogram("vllm:request_decode_time_seconds", "From a request's first token to its last.",
                 log_times_.decode);
  text.histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", prompt_tokens_);
  text.histogram("vllm:request_generation_tokens", "Tokens of an answer.", generation_tokens_);
  text.histogram("vllm:iteration_tokens_total", "Tokens of a step.", log_times_.iteration_tokens);
  return text.text();
}

}  // namespace orrery::server
