// Many requests at once, text to text.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "engine/runner.h"
#include "service_for_tests.h"

namespace orrery::llm {
namespace {

constexpr const char* kPrompts[] = {"Once upon a time", "The little cat",
                                    "One day, a boy named Tim", "She was very happy because",
                                    "In the forest there was"};

TEST_F(ServiceTest, ManyThreadsGetTheTextThatEachRequestGetsAlone) {
  std::vector<CompletionRequest> requests;
  std::vector<Generation> expected;
  for (int i = 0; i < 15; ++i) {
    CompletionRequest r = request(kPrompts[i % 5], 10 + i);
    r.params.sampling.temperature = i % 3 == 0 ? 0 : 1;
    r.params.sampling.seed = 100 + i;
    r.params.sampling.logprobs = 1;
    if (i % 4 == 1) r.params.stop = {"e", "the"};
    if (i % 4 == 2) r.params.sampling.min_tokens = 12, r.params.max_tokens += 12;
    expected.push_back(alone(r));
    requests.push_back(std::move(r));
  }
  const auto service = start(small());
  std::vector<std::thread> clients;
  std::vector<Answer> answers(requests.size());
  for (size_t t = 0; t < 3; ++t) {
    clients.emplace_back([&, t] {
      for (size_t i = t; i < requests.size(); i += 3) answers[i] = ask(*service, requests[i]);
    });
  }
  for (std::thread& client : clients) client.join();
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(answers[i].text, expected[i].text) << i;
    EXPECT_EQ(answers[i].ids, expected[i].token_ids) << i;
    EXPECT_EQ(answers[i].finish_reason, expected[i].finish_reason) << i;
    for (size_t k = 0; k < answers[i].ids.size(); ++k)
      EXPECT_EQ(answers[i].logprobs[2 * k], expected[i].tokens[k].logprob) << i;
  }
  EXPECT_EQ(service->stats().num_requests, 0);
  EXPECT_EQ(blocks_left_in_use(*service), 0);
  EXPECT_GT(service->stats().prefix_cache_queries, 0);
  EXPECT_GT(service->heartbeat(), 0u);
}

TEST_F(ServiceTest, SequencesThatShareAPrefillAreThoseOfSeparateRequests) {
  for (const int32_t num_blocks : {200, 9}) {  // 9: they take turns
    for (const int64_t max_tokens : {1, 24}) {
      ServiceOptions options = small();
      options.scheduler.kv.num_blocks = num_blocks;
      const auto service = start(options);
      CompletionRequest r =
          request("Once upon a time, in a land far away, there was a", max_tokens);
      r.params.sampling.temperature = 1;
      r.params.sampling.seed = 77;
      r.params.sampling.logprobs = 2;
      r.n = 6;
      Collector collector;
      ASSERT_TRUE(service->submit(r, collector.sink()).ok());
      const auto answers = collector.answers();
      ASSERT_EQ(answers.size(), 6u);
      r.n = 1;
      for (const auto& [index, answer] : answers) {
        r.params.sampling.seed = static_cast<int64_t>(engine::sequence_seed(77, index));
        const Answer one = ask(*service, r);
        EXPECT_EQ(answer.ids, one.ids) << index;
        EXPECT_EQ(answer.text, one.text) << index;
        EXPECT_EQ(answer.logprobs, one.logprobs) << index;
        EXPECT_EQ(answer.finish_reason, one.finish_reason) << index;
      }
      EXPECT_NE(answers.at(0).ids, answers.at(1).ids);
      EXPECT_EQ(blocks_left_in_use(*service), 0);
    }
  }
}

TEST_F(ServiceTest, SequencesOfOneRequestComputeTheirPromptOnce) {
  ServiceOptions options = small();
  options.scheduler.kv.enable_prefix_caching = false;
  const auto service = start(options);
  CompletionRequest r = request("Once upon a time, in a land far away, there was a", 4);
  r.params.sampling.temperature = 1;
  r.params.ignore_eos = true;
  r.n = 5;
  Collector collector;
  ASSERT_TRUE(service->submit(r, collector.sink()).ok());
  (void)collector.answers();
  EXPECT_EQ(blocks_left_in_use(*service), 0);
  // Each sequence computes the first three of its four tokens.
  EXPECT_EQ(service->stats().num_computed_tokens,
            static_cast<int64_t>(r.prompt_token_ids.size()) + 5 * 3);
}

TEST_F(ServiceTest, BestOfGivesTheAnswersWithTheHighestMeanLogprob) {
  const auto service = start(small());
  CompletionRequest r = request("The little cat", 12);
  r.params.sampling.temperature = 1.5;
  r.params.sampling.seed = 5;
  r.params.sampling.logprobs = 0;
  r.n = 6;
  Collector all;
  ASSERT_TRUE(service->submit(r, all.sink()).ok());
  std::vector<std::pair<double, std::vector<int32_t>>> ranked;
  for (const auto& [index, answer] : all.answers()) {
    double sum = 0;
    for (const float logprob : answer.logprobs) sum += static_cast<double>(logprob);
    ranked.emplace_back(-sum / static_cast<double>(answer.ids.size()), answer.ids);
  }
  std::sort(ranked.begin(), ranked.end());
  r.n = 2;
  r.best_of = 6;
  r.params.sampling.logprobs.reset();
  Collector best;
  ASSERT_TRUE(service->submit(r, best.sink()).ok());
  const auto answers = best.answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers.at(0).ids, ranked[0].second);
  EXPECT_EQ(answers.at(1).ids, ranked[1].second);
  EXPECT_EQ(answers.at(0).num_deltas, 1);
  EXPECT_EQ(answers.at(0).logprobs[0], 0) << "not asked for";
}

TEST_F(ServiceTest, PromptLogprobsAreThoseOfAWholePassAlsoInChunksAndAfterAHit) {
  CompletionRequest r = request(
      "Once upon a time there was a little girl who liked to play in the "
      "garden with her dog and her cat and all of her friends",
      3);
  r.params.sampling.prompt_logprobs = 2;
  const std::vector<int32_t>& ids = r.prompt_token_ids;
  auto runner = engine::Runner::create(llm_->model(), llm_->kernels(), llm_->kv_dtype(), 256);
  ASSERT_TRUE(runner.ok());
  const Tensor logits = runner->append(ids, engine::LogitsOf::kEveryToken).value();
  sampler::Sampler sampler(llm_->model().config().vocab_size);
  ServiceOptions options = small();
  options.scheduler.max_num_batched_tokens = 10;
  const auto service = start(options);
  for (int round = 0; round < 2; ++round) {
    const Answer answer = ask(*service, r);
    ASSERT_EQ(answer.prompt_logprobs.size(), ids.size() - 1);
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto vocab = static_cast<size_t>(logits.cols());
      const auto row =
          sampler.logprobs(logits.f32().subspan(i * vocab, vocab), {&ids[i + 1], 1}, 2);
      EXPECT_EQ(answer.prompt_logprobs[i].token.id, ids[i + 1]);
      EXPECT_EQ(answer.prompt_logprobs[i].token.logprob, row->tokens[0].logprob) << i;
      EXPECT_EQ(answer.prompt_logprobs[i].top_logprobs[1].logprob, row->top_logprobs[1].logprob);
    }
    // Others go on using the cache.
    CompletionRequest plain = r;
    plain.params.sampling.prompt_logprobs.reset();
    EXPECT_GT(ask(*service, plain).num_cached_tokens, 0);
  }
}

TEST_F(ServiceTest, AStopStringEndsTheTextAndFreesTheBlocks) {
  const auto service = start(small());
  CompletionRequest r = request("Once upon a time", 60);
  const std::string text = ask(*service, r).text;
  r.params.stop = {text.substr(text.size() / 2, 4)};
  r.params.max_tokens = 400;
  r.params.ignore_eos = true;
  const Answer answer = ask(*service, r);
  EXPECT_EQ(answer.text, text.substr(0, text.find(r.params.stop[0])));
  EXPECT_EQ(answer.finish_reason, FinishReason::kStop);
  EXPECT_EQ(std::get<std::string>(answer.stop_reason), r.params.stop[0]);
  EXPECT_LT(answer.ids.size(), 60u);
  EXPECT_EQ(blocks_left_in_use(*service), 0);
  // A token that stops is told by its id; the end of the sequence by nothing.
  r.params.stop.clear();
  r.params.sampling.stop_token_ids = {answer.ids[3]};
  const Answer by_id = ask(*service, r);
  EXPECT_EQ(std::get<int32_t>(by_id.stop_reason), answer.ids[3]);
  EXPECT_EQ(by_id.finish_reason, FinishReason::kStop);
}

TEST_F(ServiceTest, RefusesAtTheDoorWhatCannotRun) {
  ServiceOptions options = small();
  options.scheduler.kv.num_blocks = 4;
  options.max_num_sequences = 2;
  const auto service = start(options);
  const auto refusal = [&](auto&& change) {
    CompletionRequest r = request("The cat", 8);
    change(r);
    Collector never;
    const auto id = service->submit(std::move(r), never.sink());
    return id.ok() ? StatusCode::kOk : id.status().code();
  };
  using R = CompletionRequest;
  const StatusCode invalid = StatusCode::kInvalidArgument;
  EXPECT_EQ(refusal([](R& r) { r.n = 0; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.n = kMaxN + 1; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.n = 2, r.best_of = 1; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.prompt_token_ids.clear(); }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.prompt_token_ids = {-1}; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.prompt_token_ids.resize(100'000); }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.params.max_tokens = 0; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.params.sampling.top_p = 2; }), invalid);
  EXPECT_EQ(refusal([](R& r) { r.params.max_tokens = 100; }), StatusCode::kResourceExhausted);
  EXPECT_EQ(refusal([](R& r) { r.n = 3; }), StatusCode::kUnavailable);
}

TEST_F(ServiceTest, ItsPoolIsThatOfTheMemoryPlan) {
  ServiceOptions options = small();
  options.scheduler.kv.num_blocks = 0;
  {
    const auto service = start(options);
    const engine::MemoryPlan& plan = service->memory_plan();
    EXPECT_EQ(service->scheduler_options().kv.num_blocks, plan.num_kv_blocks);
    EXPECT_EQ(service->kv_cache_bytes(), plan.kv_bytes);
    // 8 requests of the model's length, unless this machine is very small.
    EXPECT_EQ(plan.num_kv_blocks, 8 * engine::blocks_for(512));
  }
  // Room for less than one request: what fits is the longest.
  options.kv_cache_memory_bytes = 3 * llm_->plan_memory({}).kv_bytes_per_block;
  const auto service = start(options);
  EXPECT_EQ(service->scheduler_options().kv.num_blocks, 3);
  EXPECT_EQ(service->scheduler_options().max_model_len, 3 * engine::kBlockSize);
}

TEST_F(ServiceTest, APoolThatCannotFitIsRefusedBeforeTheModelIsLoaded) {
  LlmOptions options;
  options.memory.emplace().num_kv_blocks = int64_t{1} << 26;  // 3 TiB
  bool loading = false;
  const auto llm = Llm::load(options, kernels::cpu::make_cpu_kernels("", 1).value(),
                             [&](double) { loading = true; });
  ASSERT_FALSE(llm.ok());
  EXPECT_EQ(llm.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(llm.status().message(), testing::HasSubstr("67108864 KV blocks"));
  EXPECT_FALSE(loading);
}

TEST_F(ServiceTest, AbortsFreeEverythingAlsoWithManySequencesAndBeforeTheFirstToken) {
  const auto service = start(small());
  CompletionRequest r = request("Once upon a time", 300);
  r.params.ignore_eos = true;
  r.n = 4;
  for (int round = 0; round < 10; ++round) {
    Collector collector;
    const auto id = service->submit(r, collector.sink());
    ASSERT_TRUE(id.ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    service->abort(*id);
    const auto answers = collector.answers();
    ASSERT_EQ(answers.size(), 4u);
    for (const auto& [index, answer] : answers)
      EXPECT_EQ(answer.finish_reason, FinishReason::kAbort);
  }
  EXPECT_EQ(ask(*service, request("The cat", 5)).ids.size(), 5u);
  EXPECT_EQ(blocks_left_in_use(*service), 0);
}

TEST_F(ServiceTest, DrainsAndRefusesMeanwhile) {
  const auto service = start(small());
  Collector slow, endless;
  ASSERT_TRUE(service->submit(request("The cat", 30), slow.sink()).ok());
  EXPECT_TRUE(service->drain(std::chrono::minutes(1)));
  EXPECT_EQ(slow.answer().finish_reason, FinishReason::kLength);
  EXPECT_EQ(service->submit(request("The cat", 1), {}).status().code(), StatusCode::kUnavailable);

  const auto other = start(small());
  CompletionRequest r = request("The cat", 400);
  r.params.ignore_eos = true;
  ASSERT_TRUE(other->submit(r, endless.sink()).ok());
  EXPECT_FALSE(other->drain(std::chrono::milliseconds(1)));
  EXPECT_EQ(endless.answer().finish_reason, FinishReason::kAbort);
}

// What a sink refers to may go once drain() has returned.
TEST_F(ServiceTest, DrainsUntilTheLastSinkHasReturned) {
  for (const auto timeout : {std::chrono::minutes(1), std::chrono::minutes(0)}) {
    const auto service = start(small());
    std::atomic<bool> in_last{false}, returned{false};
    const auto sink = [&](Delta&& delta) {
      if (!delta.last) return;
      in_last = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      returned = true;
    };
    ASSERT_TRUE(service->submit(request("The cat", 1), sink).ok());
    while (!in_last) std::this_thread::yield();
    EXPECT_TRUE(service->drain(timeout));
    EXPECT_TRUE(returned);
  }
}

TEST_F(ServiceTest, ItsEndAbortsWhatIsUnfinished) {
  auto service = start(small());
  CompletionRequest r = request("The cat", 400);
  r.params.ignore_eos = true;
  Collector first, second;
  ASSERT_TRUE(service->submit(r, first.sink()).ok());
  ASSERT_TRUE(service->submit(r, second.sink()).ok());
  service.reset();
  EXPECT_EQ(first.answer().finish_reason, FinishReason::kAbort);
  EXPECT_EQ(second.answer().finish_reason, FinishReason::kAbort);
}

TEST_F(ServiceTest, RequestsWithDifferentSaltsShareNoPrefix) {
  const auto service = start(small());
  CompletionRequest r = request(
      "Once upon a time there was a little girl who liked to play in the "
      "garden with her dog and her cat",
      2);
  EXPECT_EQ(ask(*service, r).num_cached_tokens, 0);
  EXPECT_GT(ask(*service, r).num_cached_tokens, 0);
  r.cache_salt = "a";
  EXPECT_EQ(ask(*service, r).num_cached_tokens, 0);
  EXPECT_GT(ask(*service, r).num_cached_tokens, 0);
  r.cache_salt = "b";
  EXPECT_EQ(ask(*service, r).num_cached_tokens, 0);
}

}  // namespace
}  // namespace orrery::llm
