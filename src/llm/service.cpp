#include "llm/service.h"

#include <algorithm>
#include <random>

#include "base/log.h"
#include "llm/identity.h"
#include "llm/service_impl.h"

namespace orrery::llm {
namespace {

engine::MemoryPlan plan_memory(const Llm& llm, const ServiceOptions& options) {
  const engine::SchedulerOptions& scheduler = options.scheduler;
  engine::MemoryOptions memory;
  memory.max_model_len = llm.options().max_model_len;
  if (scheduler.max_model_len != 0) {
    memory.max_model_len = scheduler.max_model_len;
  } else if (scheduler.kv.num_blocks != 0) {
    memory.max_model_len = llm.model().config().max_model_len;  // not shortened to a pool asked for
  }
  memory.max_num_batched_tokens = scheduler.max_num_batched_tokens;
  memory.max_num_seqs = scheduler.max_num_seqs;
  if (options.kv_cache_memory_bytes != 0)
    memory.kv_cache_memory_bytes = options.kv_cache_memory_bytes;
  if (scheduler.kv.num_blocks != 0) memory.num_kv_blocks = scheduler.kv.num_blocks;
  return llm.plan_memory(memory);
}

// Fills in what the options leave to the model and the machine.
Status resolve(const Llm& llm, const engine::MemoryPlan& plan, ServiceOptions& options) {
  const int64_t longest = llm.model().config().max_model_len;
  engine::SchedulerOptions& scheduler = options.scheduler;
  if (scheduler.max_model_len < 0 || scheduler.max_model_len > longest) {
    return invalid_argument("max_model_len: expected from 1 to the model's {}, got {}", longest,
                            scheduler.max_model_len);
  }
  if (plan.num_kv_blocks < 1 || plan.needed_bytes > plan.available_bytes)
    return resource_exhausted("{}", plan.verdict);
  scheduler.max_model_len = static_cast<int32_t>(std::min<int64_t>(plan.max_model_len, INT32_MAX));
  scheduler.kv.num_blocks = static_cast<int32_t>(std::min<int64_t>(plan.num_kv_blocks, INT32_MAX));
  if (plan.shortened || plan.num_kv_blocks < plan.blocks_per_request) {
    log::warn("KV cache: {} blocks hold {} tokens, the model takes {}: longer requests are refused",
              plan.num_kv_blocks, plan.num_kv_blocks * engine::kBlockSize, longest);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Service>> Service::create(Llm& llm, ServiceOptions options,
                                                 trace::TraceWriter& trace) {
  engine::MemoryPlan plan = plan_memory(llm, options);
  RETURN_IF_ERROR(resolve(llm, plan, options));
  if (!options.seed) {
    std::random_device device;
    options.seed = uint64_t{device()} << 32 | device();
  }
  engine::EngineOptions engine_options;
  engine_options.scheduler = options.scheduler;
  engine_options.kv_dtype = llm.kv_dtype();
  ASSIGN_OR_RETURN(auto engine,
                   engine::Engine::create(llm.model(), llm.kernels(), engine_options, trace));
  auto impl =
      std::make_unique<Impl>(llm, std::move(options), std::move(plan), std::move(engine), trace);
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<uint32_t> Service::submit(CompletionRequest request, DeltaSink sink) {
  return impl_->submit(std::move(request), std::move(sink));
}
void Service::abort(uint32_t request) { impl_->abort(request); }
bool Service::drain(std::chrono::milliseconds timeout) { return impl_->drain(timeout); }
uint64_t Service::heartbeat() const { return impl_->engine().heartbeat(); }
ServiceStats Service::stats() const { return impl_->stats(); }
void Service::set_focus(uint32_t sequence) { impl_->engine().set_focus(sequence); }
void Service::set_techniques(const engine::Techniques& techniques,
                             std::chrono::milliseconds patience,
                             std::function<void(const Status&)> done) {
  impl_->engine().set_techniques(techniques, patience, std::move(done));
}
Status Service::check_techniques(const engine::Techniques& techniques) const {
  return engine::with_techniques(impl_->asked(), techniques).status();
}
engine::Techniques Service::techniques() const { return impl_->engine().stats().techniques; }
engine::Techniques Service::techniques_asked() const {
  return engine::techniques_of(impl_->asked());
}
const Llm& Service::llm() const { return impl_->llm(); }
const engine::SchedulerOptions& Service::scheduler_options() const { return impl_->scheduler(); }
int64_t Service::kv_cache_bytes() const { return impl_->kv_cache_bytes(); }
const engine::MemoryPlan& Service::memory_plan() const { return impl_->memory_plan(); }
OrderedJson Service::description() const {
  engine::EngineOptions options;
  options.scheduler = impl_->scheduler();
  options.kv_dtype = impl_->llm().kv_dtype();
  return describe(impl_->llm(), options);
}

// ---- Coming in.

Service::Impl::Impl(Llm& llm, ServiceOptions options, engine::MemoryPlan plan,
                    std::unique_ptr<engine::Engine> engine, trace::TraceWriter& trace)
    : llm_(llm),
      options_(std::move(options)),
      memory_plan_(std::move(plan)),
      trace_(trace),
      scheduler_(engine->scheduler().options()),
      asked_(engine->asked()),
      kv_cache_bytes_(engine->kv_memory().bytes()),
      engine_(std::make_unique<engine::EngineThread>(std::move(engine),
                                                     [this] { wake_text_thread(); })),
      text_thread_([this] { run(); }) {}

Service::Impl::~Impl() {
  engine_->stop();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  text_thread_.join();
}

Status Service::Impl::check(const CompletionRequest& request) const {
  if (request.n < 1 || request.n > kMaxN)
    return invalid_argument("n: expected from 1 to {}, got {}", kMaxN, request.n);
  if (request.best_of != 0 && (request.best_of < request.n || request.best_of > kMaxN)) {
    return invalid_argument("best_of: expected from n = {} to {}, got {}", request.n, kMaxN,
                            request.best_of);
  }
  RETURN_IF_ERROR(llm_.check(request.prompt_token_ids, request.params, scheduler_.max_model_len));
  const auto num_tokens =
      static_cast<int32_t>(static_cast<int64_t>(request.prompt_token_ids.size()) +
                           std::min(request.params.max_tokens, room_after(request)) - 1);
  const int32_t needed = engine::blocks_for(num_tokens);
  if (needed > scheduler_.kv.num_blocks) {
    return resource_exhausted("prompt and max_tokens: need {} KV blocks of {} tokens, there are {}",
                              needed, engine::kBlockSize, scheduler_.kv.num_blocks);
  }
  return {};
}

int64_t Service::Impl::room_after(const CompletionRequest& request) const {
  return scheduler_.max_model_len - static_cast<int64_t>(request.prompt_token_ids.size());
}

Result<uint32_t> Service::Impl::submit(CompletionRequest request, DeltaSink sink) {
  request.params.sampling.eos_token_ids = llm_.eos_token_ids();
  RETURN_IF_ERROR(check(request));
  request.params.max_tokens = std::min(request.params.max_tokens, room_after(request));
  const int32_t num_sequences = std::max(request.n, request.best_of);
  auto job = std::make_shared<Job>(std::move(request), std::move(sink), num_sequences);
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return unavailable("the service is stopping");
    if (options_.max_num_sequences > 0 &&
        num_sequences_ + num_sequences > options_.max_num_sequences) {
      return unavailable("queue: expected at most {} sequences, got {} and {} more",
                         options_.max_num_sequences, num_sequences_, num_sequences);
    }
    job->id = engine_->reserve_ids(num_sequences);
    jobs_.emplace(job->id, job);
    num_sequences_ += num_sequences;
  }
  const uint32_t id = job->id;
  engine::GenerationRequest asked = engine_request(*job);
  engine_->submit(std::move(asked), [this, job = std::move(job)](engine::TokenEvent&& event) {
    deliver(job, std::move(event));
  });
  return id;
}

engine::GenerationRequest Service::Impl::engine_request(const Job& job) const {
  const CompletionRequest& request = job.request;
  engine::GenerationRequest asked;
  asked.request.id = job.id;
  asked.request.prompt_token_ids = request.prompt_token_ids;
  asked.request.max_tokens = static_cast<int32_t>(request.params.max_tokens);
  asked.request.priority = request.priority;
  asked.request.tenant = request.tenant;
  asked.request.space.cache_salt = number_of_salt(request.cache_salt);
  asked.sampling = request.params.sampling;
  if (job.picks() && !asked.sampling.logprobs) asked.sampling.logprobs = 0;  // to rank by
  const std::optional<int64_t>& seed = request.params.sampling.seed;
  asked.seed =
      seed ? static_cast<uint64_t>(*seed)
           : engine::sequence_seed(*options_.seed, static_cast<int32_t>(job.id & INT32_MAX));
  asked.n = job.num_sequences;
  asked.ignore_eos = request.params.ignore_eos;
  return asked;
}

void Service::Impl::abort(uint32_t request) {
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    const auto it = jobs_.find(request);
    if (it == jobs_.end()) return;
    job = it->second;
  }
  for (int32_t i = 0; i < job->num_sequences; ++i)
    engine_->abort(request + static_cast<uint32_t>(i));
}

bool Service::Impl::drain(std::chrono::milliseconds timeout) {
  std::vector<uint32_t> unfinished;
  {
    std::unique_lock lock(mutex_);
    draining_ = true;
    idle_.wait_for(lock, timeout, [this] { return jobs_.empty(); });
    for (const auto& [id, job] : jobs_) unfinished.push_back(id);
  }
  for (const uint32_t id : unfinished) abort(id);
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return jobs_.empty() && !handling_; });
  return unfinished.empty();
}

ServiceStats Service::Impl::stats() const {
  const engine::EngineStats engine = engine_->stats();
  ServiceStats stats;
  stats.num_steps = engine.num_steps;
  stats.num_running = engine.num_running;
  stats.num_blocks = engine.kv.total;
  stats.num_used_blocks = engine.kv.used;
  stats.num_cached_blocks = engine.kv.cached;
  stats.num_prompt_tokens = engine.counts.prompt_tokens;
  stats.num_generated_tokens = engine.num_generated_tokens;
  stats.num_computed_tokens = engine.num_computed_tokens;
  stats.prefix_cache_queries = engine.counts.prefix_queries;
  stats.prefix_cache_hits = engine.counts.prefix_hits;
  stats.num_preemptions = engine.counts.preemptions;
  stats.num_waiting = engine.num_waiting + engine.num_queued;
  const std::lock_guard lock(mutex_);
  stats.num_requests = static_cast<int64_t>(jobs_.size());
  return stats;
}

}  // namespace orrery::llm
