// For tests: the demo model, a service on it, and someone who collects what it says.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

#include "kernels/cpu/cpu_kernels.h"
#include "llm/service.h"
#include "trace/event_ring.h"

namespace orrery::llm {

struct Answer {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<float> logprobs;  // chosen, then top ones, of each token
  std::vector<PromptLogprob> prompt_logprobs;
  std::optional<FinishReason> finish_reason;
  StopReason stop_reason;
  Status error;
  int32_t num_cached_tokens = 0;
  int num_deltas = 0;
};

// The answers to one request. Must outlive its deltas.
class Collector {
 public:
  DeltaSink sink() {
    return [this](Delta&& delta) { take(std::move(delta)); };
  }
  // Waits for the last delta.
  std::map<int32_t, Answer> answers() {
    ended_.get_future().wait();
    return std::move(answers_);
  }
  Answer answer() { return answers()[0]; }

 private:
  void take(Delta&& delta) {
    Answer& a = answers_[delta.index];
    EXPECT_FALSE(a.finish_reason) << "a delta after the last";
    ++a.num_deltas;
    a.text += delta.text;
    for (const sampler::SampledToken& token : delta.tokens) {
      a.ids.push_back(token.id);
      a.logprobs.push_back(token.logprob);
      for (const auto& top : token.top_logprobs) a.logprobs.push_back(top.logprob);
    }
    for (PromptLogprob& p : delta.prompt_logprobs) a.prompt_logprobs.push_back(std::move(p));
    a.num_cached_tokens = std::max(a.num_cached_tokens, delta.num_cached_tokens);
    a.finish_reason = delta.finish_reason;
    a.stop_reason = delta.stop_reason;
    a.error = delta.error;
    if (delta.last) ended_.set_value();
  }

  std::map<int32_t, Answer> answers_;
  std::promise<void> ended_;
};

class ServiceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto kernels = kernels::cpu::make_cpu_kernels("", 2);
    ASSERT_TRUE(kernels.ok());
    auto llm = Llm::load({}, std::move(kernels).value());
    ASSERT_TRUE(llm.ok()) << llm.status().message();
    llm_ = std::move(llm).value().release();
  }
  static void TearDownTestSuite() { delete std::exchange(llm_, nullptr); }

  static ServiceOptions small() {
    ServiceOptions options;
    options.scheduler.max_num_seqs = 8;
    options.scheduler.max_num_batched_tokens = 64;
    options.scheduler.kv.num_blocks = 200;
    options.seed = 1;
    return options;
  }
  std::unique_ptr<Service> start(const ServiceOptions& options) {
    auto service = Service::create(*llm_, options, trace_);
    EXPECT_TRUE(service.ok()) << service.status().message();
    return std::move(service).value();
  }
  static CompletionRequest request(std::string_view prompt, int64_t max_tokens) {
    CompletionRequest r;
    r.prompt_token_ids = llm_->tokenize(prompt).value();
    r.params.max_tokens = max_tokens;
    r.params.sampling.temperature = 0;
    return r;
  }
  static Generation alone(const CompletionRequest& r) {
    GenerationObserver nobody;
    auto generation = llm_->generate(r.prompt_token_ids, r.params, nobody);
    EXPECT_TRUE(generation.ok()) << generation.status().message();
    return std::move(generation).value();
  }
  static Answer ask(Service& service, const CompletionRequest& r) {
    Collector collector;
    const auto id = service.submit(r, collector.sink());
    EXPECT_TRUE(id.ok()) << id.status().message();
    return collector.answer();
  }

  // Blocks in use when the engine has come to rest: its figures are those of its last step.
  static int64_t blocks_left_in_use(const Service& service) {
    for (int i = 0; i < 5000 && service.stats().num_used_blocks > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return service.stats().num_used_blocks;
  }

  static inline Llm* llm_ = nullptr;
  trace::EventRing trace_{1 << 18};
};

}  // namespace orrery::llm
