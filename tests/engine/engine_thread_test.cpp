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

}  // namespace
}  // namespace orrery::engine
