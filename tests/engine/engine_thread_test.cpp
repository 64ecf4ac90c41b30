// The engine on its own thread: submit, stream and abort from many threads at once.
#include "engine/engine_thread.h"

#include <future>

#include "model/loaded_model.h"

namespace orrery::engine {
namespace {

// Collects one request's tokens; its future is ready when the request has ended.
struct Stream {
  std::vector<int32_t> tokens;
  std::promise<FinishReason> ended;
  Status error;

  void operator()(const TokenEvent& event) {
    if (!event.error.ok()) error = event.error;
    if (event.error.ok() && event.finish_reason != FinishReason::kAborted)
      tokens.push_back(event.token.id);
    if (event.finish_reason != FinishReason::kNone) ended.set_value(event.finish_reason);
  }
};

class EngineThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    kernels_ = make_kernels_for_test(usable_tables().back(), 1);
    loaded_ = load_for_test(golden_models_dir() + "/llama3", 256, *kernels_);
    ASSERT_NE(loaded_.model, nullptr);
  }
  std::unique_ptr<EngineThread> start() {
    EngineOptions options;
    options.scheduler.max_model_len = 256;
    options.scheduler.max_num_batched_tokens = 64;
    options.scheduler.max_num_seqs = 8;
    options.scheduler.kv.num_blocks = 64;
    auto engine = Engine::create(*loaded_.model, *kernels_, options, trace_);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return std::make_unique<EngineThread>(std::move(engine).value());
  }
  static GenerationRequest request(int32_t first_token, int32_t max_tokens) {
    GenerationRequest r;
    r.request.prompt_token_ids = {first_token, 2, 3};
    r.request.max_tokens = max_tokens;
    r.sampling.temperature = 0;
    return r;
  }

  std::unique_ptr<kernels::Kernels> kernels_;
  LoadedModel loaded_;
  trace::NoTrace trace_;
};

TEST_F(EngineThreadTest, ManyThreadsGetTheAnswersOfOne) {
  std::vector<std::vector<int32_t>> expected;
  {
    const auto engine = start();
    for (int32_t i = 0; i < 12; ++i) {
      Stream stream;
      engine->submit(request(i + 4, 10), std::ref(stream));
      EXPECT_EQ(stream.ended.get_future().get(), FinishReason::kLength);
      expected.push_back(stream.tokens);
    }
  }
  const auto engine = start();
  std::vector<std::thread> clients;
  for (int32_t i = 0; i < 12; ++i) {
    clients.emplace_back([&, i] {
      Stream stream;
      engine->submit(request(i + 4, 10), std::ref(stream));
      EXPECT_EQ(stream.ended.get_future().get(), FinishReason::kLength);
      EXPECT_EQ(stream.tokens, expected[static_cast<size_t>(i)]);
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GT(engine->heartbeat(), 0u);
}

TEST_F(EngineThreadTest, AnAbortEndsARequestAndARefusalReachesItsSink) {
  const auto engine = start();
  Stream endless, refused;
  const uint32_t id = engine->submit(request(5, 250), std::ref(endless));
  engine->abort(id);
  const FinishReason reason = endless.ended.get_future().get();
  EXPECT_TRUE(reason == FinishReason::kAborted || reason == FinishReason::kLength);
  engine->submit(request(5, 100000), std::ref(refused));
  EXPECT_EQ(refused.ended.get_future().get(), FinishReason::kError);
  EXPECT_FALSE(refused.error.ok());
}

TEST_F(EngineThreadTest, ItsEndAbortsWhatIsUnfinished) {
  auto engine = start();
  Stream stream;
  engine->submit(request(5, 250), std::ref(stream));
  std::thread destroyer([&engine] { engine.reset(); });
  const FinishReason reason = stream.ended.get_future().get();
  destroyer.join();
  EXPECT_TRUE(reason == FinishReason::kAborted || reason == FinishReason::kLength);
}

// What set_techniques() has come to.
Status change(EngineThread& engine, const Techniques& techniques,
              std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  std::promise<Status> done;
  engine.set_techniques(techniques, patience,
                        [&done](const Status& status) { done.set_value(status); });
  return done.get_future().get();
}

TEST_F(EngineThreadTest, TechniquesChangeBetweenRequestsAndAnswersDoNot) {
  const auto engine = start();
  std::vector<std::vector<int32_t>> expected;
  Techniques none;
  none.paging = none.kv_cache = none.prefix_cache = none.continuous_batching =
      none.chunked_prefill = false;
  for (const Techniques& techniques : {Techniques(), none, Techniques()}) {
    std::vector<Stream> before(4), after(4);
    for (size_t i = 0; i < before.size(); ++i)
      engine->submit(request(static_cast<int32_t>(i) + 4, 60), std::ref(before[i]));
    std::promise<Status> done;
    engine->set_techniques(techniques, std::chrono::seconds(60),
                           [&done](const Status& status) { done.set_value(status); });
    for (size_t i = 0; i < after.size(); ++i)  // these wait
      engine->submit(request(static_cast<int32_t>(i) + 4, 60), std::ref(after[i]));
    EXPECT_TRUE(done.get_future().get().ok());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].ended.get_future().get(), FinishReason::kLength);
      EXPECT_EQ(after[i].ended.get_future().get(), FinishReason::kLength);
      if (expected.size() <= i) expected.push_back(before[i].tokens);
      EXPECT_EQ(before[i].tokens, expected[i]);
      EXPECT_EQ(after[i].tokens, expected[i]);
    }
    EXPECT_EQ(engine->stats().techniques, techniques);
  }
  EXPECT_EQ(engine->stats().counts.admitted, 24) << "counts go on";
}

TEST_F(EngineThreadTest, AChangeOfTechniquesIsGivenUpWhenRequestsDoNotEnd) {
  const auto engine = start();
  Techniques off;
  off.prefix_cache = false;
  // The first token of the running request blocks the engine until all below is submitted.
  std::promise<void> first, go_on;
  std::promise<FinishReason> ended;
  bool seen = false;
  engine->submit(request(5, 250), [&](const TokenEvent& event) {
    if (!std::exchange(seen, true)) {
      first.set_value();
      go_on.get_future().wait();
    }
    if (event.finish_reason != FinishReason::kNone) ended.set_value(event.finish_reason);
  });
  first.get_future().wait();
  std::promise<Status> given_up;
  engine->set_techniques(off, std::chrono::milliseconds(0),
                         [&given_up](const Status& status) { given_up.set_value(status); });
  EXPECT_EQ(change(*engine, off).code(), StatusCode::kUnavailable) << "one waits already";
  go_on.set_value();
  EXPECT_EQ(given_up.get_future().get().code(), StatusCode::kUnavailable);
  EXPECT_EQ(ended.get_future().get(), FinishReason::kLength);
  EXPECT_EQ(engine->stats().techniques, Techniques());
}

TEST_F(EngineThreadTest, ARequestThatWaitsForAChangeOfTechniquesCanBeAborted) {
  const auto engine = start();
  Techniques off;
  off.prefix_cache = false;
  std::promise<void> first, go_on;
  Stream running, held;
  bool seen = false;
  engine->submit(request(5, 100), [&](const TokenEvent& event) {
    if (!std::exchange(seen, true)) {
      first.set_value();
      go_on.get_future().wait();
    }
    running(event);
  });
  first.get_future().wait();
  std::promise<Status> done;
  engine->set_techniques(off, std::chrono::seconds(60),
                         [&done](const Status& status) { done.set_value(status); });
  engine->abort(engine->submit(request(6, 200), std::ref(held)));
  go_on.set_value();
  EXPECT_TRUE(done.get_future().get().ok());
  EXPECT_EQ(running.ended.get_future().get(), FinishReason::kLength);
  EXPECT_EQ(held.ended.get_future().get(), FinishReason::kAborted);
}

TEST_F(EngineThreadTest, TechniquesThatDoNotGoTogetherAreRefused) {
  const auto engine = start();
  for (const auto& off : {&Techniques::paging, &Techniques::kv_cache}) {
    Techniques techniques;  // with prefix caching
    techniques.*off = false;
    EXPECT_EQ(change(*engine, techniques).code(), StatusCode::kInvalidArgument);
    techniques.prefix_cache = false;
    EXPECT_TRUE(change(*engine, techniques).ok());
  }
}

}  // namespace
}  // namespace orrery::engine
