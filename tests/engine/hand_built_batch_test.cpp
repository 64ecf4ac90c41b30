// Continuous batching against a batch made by hand: the same tokens, and hardly more time.
#include <algorithm>
#include <chrono>
#include <map>

#include "engine/engine.h"
#include "model/loaded_model.h"
#include "weights/open_checkpoint.h"

namespace orrery::engine {
namespace {

constexpr int32_t kRequests = 32;
constexpr int32_t kPromptTokens = 32;

class HandBuiltBatch : public testing::Test {
 protected:
  using Tokens = std::vector<std::vector<int32_t>>;  // of each request

  void SetUp() override {
    kernels_ = make_kernels_for_test(usable_tables().back(), 0);
    auto checkpoint = weights::open_checkpoint("synthetic:llama-15m");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    auto config = model::parse_model_config(checkpoint->config(), "synthetic");
    config->max_model_len = 256;
    auto model = model::load_model(*checkpoint, *config, *kernels_);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = std::move(model).value();
    for (int32_t r = 0; r < kRequests; ++r) {
      auto& prompt = prompts_.emplace_back();
      for (int32_t i = 0; i < kPromptTokens; ++i) prompt.push_back((r * 7919 + i * 104729) % 30000);
    }
  }

  // All prompts in one pass, then a token of each in every pass; the largest logit is taken.
  Tokens by_hand(int32_t num_tokens, double& seconds) {
    const int32_t blocks = blocks_for(kPromptTokens + num_tokens);
    auto kv = KvMemory::allocate(model_->config(), DType::kBF16, int64_t{blocks} * kRequests);
    EXPECT_TRUE(kv.ok());
    model::Context context(*kernels_);
    Tokens tokens(kRequests);
    const auto start = std::chrono::steady_clock::now();
    model::Batch batch;
    for (int32_t t = 0; t < num_tokens; ++t) {
      batch.clear();
      batch.kv = kv->layers();
      batch.max_blocks_per_seq = blocks;
      for (int32_t r = 0; r < kRequests; ++r) {
        const int32_t end = kPromptTokens + t;
        for (int32_t position = t == 0 ? 0 : end - 1; position < end; ++position) {
          const auto r_ = static_cast<size_t>(r);
          batch.token_ids.push_back(t == 0 ? prompts_[r_][static_cast<size_t>(position)]
                                           : tokens[r_].back());
          batch.positions.push_back(position);
          batch.slot_mapping.push_back(int64_t{r} * blocks * kBlockSize + position);
        }
        batch.logits_rows.push_back(static_cast<int32_t>(batch.token_ids.size()) - 1);
        batch.query_start_loc.push_back(static_cast<int32_t>(batch.token_ids.size()));
        batch.seq_lens.push_back(end);
        for (int32_t b = 0; b < blocks; ++b) batch.block_tables.push_back(r * blocks + b);
      }
      const auto scope = context.scope();
      const Tensor logits = model_->forward(context, batch);
      const auto vocab = static_cast<size_t>(logits.cols());
      for (size_t r = 0; r < kRequests; ++r) {
        const auto row = logits.f32().subspan(r * vocab, vocab);
        tokens[r].push_back(
            static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
      }
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return tokens;
  }

  Tokens by_engine(int32_t num_tokens, double& seconds) {
    SchedulerOptions options;
    options.max_model_len = 256;
    options.max_num_seqs = kRequests;
    options.kv.num_blocks = kRequests * (blocks_for(kPromptTokens + num_tokens) + 1);
    trace::NoTrace trace;
    const auto engine = Engine::create(*model_, *kernels_, {options, DType::kBF16}, trace);
    EXPECT_TRUE(engine.ok());
    Tokens tokens(kRequests);
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t r = 0; r < kRequests; ++r) {
      GenerationRequest request;
      request.request.id = r + 1;
      request.request.prompt_token_ids = prompts_[r];
      request.request.max_tokens = num_tokens;
      request.ignore_eos = true;
      request.sampling.temperature = 0;
      EXPECT_TRUE((*engine)
                      ->add_request(request,
                                    [&tokens](const TokenEvent& event) {
                                      tokens[event.request - 1].push_back(event.token.id);
                                    })
                      .ok());
    }
    while ((*engine)->step()) {
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return tokens;
  }

  std::unique_ptr<kernels::Kernels> kernels_;
  std::unique_ptr<model::Model> model_;
  std::vector<std::vector<int32_t>> prompts_;
};

// The goal is 5 %; a busy machine gets a third. ORRERY_MEASURE=1 measures longer.
TEST_F(HandBuiltBatch, TheEngineGivesItsTokensInHardlyMoreTime) {
  const bool measuring = std::getenv("ORRERY_MEASURE") != nullptr;
  const int32_t num_tokens = measuring ? 64 : 8;
  std::vector<double> ratios;
  for (int round = 0; round < (measuring ? 9 : 3); ++round) {
    double by_hand_s = 0, by_engine_s = 0;
    const Tokens expected = by_hand(num_tokens, by_hand_s);
    EXPECT_EQ(by_engine(num_tokens, by_engine_s), expected);
    ratios.push_back(by_engine_s / by_hand_s);
  }
  std::sort(ratios.begin(), ratios.end());
  const double median = ratios[ratios.size() / 2];
  fmt::print(
      "32 requests of {} + {} tokens: the engine takes {:.3f} of the time by hand ({:.3f} .. "
      "{:.3f})\n",
      kPromptTokens, num_tokens, median, ratios.front(), ratios.back());
  EXPECT_LT(ratios.front(), 1.34);
}

}  // namespace
}  // namespace orrery::engine
