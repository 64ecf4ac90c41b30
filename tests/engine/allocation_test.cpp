// A warm step allocates nothing.
#include "base/allocations_for_tests.h"
#include "engine/engine.h"
#include "model/loaded_model.h"

#if !ORRERY_SANITIZED

namespace orrery::engine {
namespace {

// 16 requests decode, with filters, penalties and blocks that fill up; nobody comes, nobody ends.
TEST(Engine, AWarmStepAllocatesNothing) {
  const auto kernels = make_kernels_for_test(usable_tables().back(), 2);
  const LoadedModel loaded = load_for_test(golden_models_dir() + "/llama3", 256, *kernels);
  ASSERT_NE(loaded.model, nullptr);
  SchedulerOptions options;
  options.max_model_len = 256;
  options.max_num_seqs = 16;
  options.max_num_batched_tokens = 64;
  options.kv.num_blocks = 256;
  trace::NoTrace trace;
  const auto engine = Engine::create(*loaded.model, *kernels, {options, DType::kBF16}, trace);
  ASSERT_TRUE(engine.ok());
  int64_t num_tokens = 0;
  for (uint32_t id = 1; id <= 16; ++id) {
    GenerationRequest request;
    request.request.id = id;
    request.request.prompt_token_ids = {static_cast<int32_t>(id), 5, 6, 7};
    request.request.max_tokens = 200;
    request.ignore_eos = true;
    request.sampling.temperature = id % 2 == 0 ? 0 : 1;
    request.sampling.top_k = id % 3 == 0 ? 20 : 0;
    request.sampling.top_p = id % 4 == 0 ? 0.9 : 1;
    request.sampling.repetition_penalty = id % 5 == 0 ? 1.1 : 1;
    request.seed = id;
    ASSERT_TRUE((*engine)->add_request(request, [&](TokenEvent&&) { ++num_tokens; }).ok());
  }
  // Blocks of tokens, and of attention's split of the context, begin while warming up.
  for (int step = 0; step < 140; ++step) ASSERT_TRUE((*engine)->step());
  const int64_t tokens_before = num_tokens, before = num_allocations.load();
  for (int step = 0; step < 40; ++step) (*engine)->step();
  const int64_t allocations = num_allocations.load() - before;
  EXPECT_EQ(allocations, 0);
  EXPECT_EQ(num_tokens - tokens_before, 40 * 16);
}

}  // namespace
}  // namespace orrery::engine

#endif
