// Switching techniques off changes what an answer costs, never the answer.
#include "engine/techniques.h"

#include <cstring>
#include <map>
#include <random>

#include "engine/engine.h"
#include "model/loaded_model.h"

namespace orrery::engine {
namespace {

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  bool operator==(const Answer& other) const {
    return tokens == other.tokens && logprobs.size() == other.logprobs.size() &&
           std::memcmp(logprobs.data(), other.logprobs.data(), logprobs.size() * sizeof(float)) ==
               0;
  }
};
using Answers = std::map<uint32_t, Answer>;

class TechniquesTest : public testing::Test {
 protected:
  void SetUp() override {
    kernels_ = make_kernels_for_test(usable_tables().back(), 1);
    loaded_ = load_for_test(golden_models_dir() + "/llama3", 256, *kernels_);
    ASSERT_NE(loaded_.model, nullptr);
    EngineOptions options;
    options.scheduler.max_model_len = 128;
    options.scheduler.max_num_batched_tokens = 24;  // prompts come in chunks
    options.scheduler.max_num_seqs = 6;
    options.scheduler.kv.num_blocks = 20;  // two whole requests, and too few for all
    auto engine = Engine::create(*loaded_.model, *kernels_, options, log_);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    engine_ = std::move(engine).value();
  }

  // The same requests each time: shared prefixes, two samplings, forks, prompt log-probabilities.
  Answers run() {
    Answers answers;
    std::mt19937 random(3);
    for (uint32_t i = 0; i < 10; ++i) {
      GenerationRequest r;
      r.request.id = next_id_ + 2 * i;
      for (int32_t t = 0; t < 36; ++t)
        r.request.prompt_token_ids.push_back(i % 2 == 0 ? t : t + 50);
      for (uint32_t t = random() % 20; t > 0; --t)
        r.request.prompt_token_ids.push_back(static_cast<int32_t>(random() % 100));
      r.request.max_tokens = static_cast<int32_t>(4 + random() % 40);
      r.sampling.temperature = i % 3 == 0 ? 0 : 1;
      r.sampling.logprobs = 2;
      if (i == 4) r.sampling.prompt_logprobs = 1;
      r.n = i == 5 ? 2 : 1;
      r.seed = i;
      const uint32_t base = next_id_;
      EXPECT_TRUE(engine_
                      ->add_request(r,
                                    [&answers, base](const TokenEvent& event) {
                                      Answer& answer = answers[event.request - base];
                                      answer.tokens.push_back(event.token.id);
                                      answer.logprobs.push_back(event.token.logprob);
                                      for (const auto& row : event.prompt_logprobs)
                                        answer.logprobs.push_back(row.tokens.front().logprob);
                                    })
                      .ok());
    }
    next_id_ += 20;
    while (engine_->step()) {
    }
    EXPECT_TRUE(engine_->scheduler().kv().check_integrity().ok());
    return answers;
  }

  int64_t computed_in(const Techniques& techniques) {
    EXPECT_TRUE(engine_->set_techniques(techniques).ok());
    const int64_t before = engine_->num_computed_tokens();
    run();
    return engine_->num_computed_tokens() - before;
  }

  std::unique_ptr<kernels::Kernels> kernels_;
  LoadedModel loaded_;
  trace::EventList log_;
  std::unique_ptr<Engine> engine_;
  uint32_t next_id_ = 1;
};

TEST_F(TechniquesTest, NeverChangeAnAnswer) {
  const Answers expected = run();
  ASSERT_EQ(expected.size(), 11u);
  int num_possible = 0;
  for (int32_t bits = 0; bits < 32; ++bits) {
    const Techniques techniques = techniques_from_bits(bits);
    const Status status = engine_->set_techniques(techniques);
    const bool possible = !techniques.prefix_cache || (techniques.paging && techniques.kv_cache);
    EXPECT_EQ(status.ok(), possible) << bits << ": " << status.message();
    if (!possible) continue;
    ++num_possible;
    EXPECT_TRUE(run() == expected) << "techniques " << bits;
  }
  EXPECT_EQ(num_possible, 20);
}

TEST_F(TechniquesTest, EachSavesWhatItIsFor) {
  Techniques plain;
  plain.prefix_cache = false;
  const int64_t all = computed_in({});
  const int64_t without_prefix_cache = computed_in(plain);
  EXPECT_GT(without_prefix_cache, all + 100);
  Techniques recomputed = plain;
  recomputed.kv_cache = false;
  EXPECT_GT(computed_in(recomputed), 5 * without_prefix_cache);

  const auto most_running = [&](const Techniques& techniques) {
    EXPECT_TRUE(engine_->set_techniques(techniques).ok());
    log_.clear();
    run();
    int32_t most = 0;
    for (const trace::Event& e : log_.events())
      if (e.kind == trace::EventKind::kStepPlanned) most = std::max(most, e.value[2]);
    return most;
  };
  Techniques whole = plain;
  whole.paging = false;
  EXPECT_EQ(most_running(whole), 2);
  EXPECT_GT(most_running(plain), 2);

  const auto num_chunks = [&](const Techniques& techniques) {
    EXPECT_TRUE(engine_->set_techniques(techniques).ok());
    log_.clear();
    run();
    return std::count_if(log_.events().begin(), log_.events().end(), [](const trace::Event& e) {
      return e.kind == trace::EventKind::kChunk && e.value[2] > 0;
    });
  };
  Techniques unchunked = plain;
  unchunked.chunked_prefill = false;
  EXPECT_GT(num_chunks(plain), 5);
  EXPECT_LE(num_chunks(unchunked),
            5);  // those of the request that wants log-probabilities of its prompt
}

TEST_F(TechniquesTest, StepsAndCountsGoOnAndTheLogSaysWhatIsOn) {
  run();
  const uint64_t steps = engine_->num_steps();
  const SchedulerCounts before = engine_->scheduler().counts();
  EXPECT_GT(engine_->scheduler().kv().usage().cached, 0);
  Techniques off;
  off.continuous_batching = false;
  log_.clear();
  ASSERT_TRUE(engine_->set_techniques(off).ok());
  ASSERT_EQ(log_.events().size(), 1u);
  const trace::Event& event = log_.events().front();
  EXPECT_EQ(event.kind, trace::EventKind::kTechniques);
  EXPECT_EQ(event.step, steps);
  EXPECT_EQ(techniques_from_bits(event.value[0]), off);
  EXPECT_EQ(event.value[1], 24);
  EXPECT_EQ(engine_->scheduler().kv().usage().cached, 0);
  EXPECT_EQ(engine_->scheduler().counts().admitted, before.admitted);
  log_.clear();
  run();
  for (const trace::Event& e : log_.events()) {
    if (e.kind == trace::EventKind::kStepPlanned) {
      EXPECT_EQ(e.step, steps + 1);
      break;
    }
  }
  EXPECT_GE(engine_->scheduler().counts().admitted, before.admitted + 10);
}

TEST_F(TechniquesTest, AreNotSwitchedUnderARequest) {
  GenerationRequest r;
  r.request.id = 1;
  r.request.prompt_token_ids = {1, 2, 3};
  r.request.max_tokens = 3;
  ASSERT_TRUE(engine_->add_request(r, [](TokenEvent&&) {}).ok());
  EXPECT_EQ(engine_->set_techniques({}).code(), StatusCode::kUnavailable);
  while (engine_->step()) {
  }
  EXPECT_TRUE(engine_->set_techniques({}).ok());
}

TEST(Techniques, WhatTheEngineCannotDoIsRefusedWithTheReason) {
  SchedulerOptions options;
  options.max_model_len = 32'768;
  options.kv.num_blocks = 100;
  Techniques techniques;
  techniques.prefix_cache = false;
  EXPECT_TRUE(with_techniques(options, techniques).ok());
  Techniques off = techniques;
  off.paging = false;  // no room for one whole request
  EXPECT_EQ(with_techniques(options, off).status().code(), StatusCode::kResourceExhausted);
  off = techniques;
  off.chunked_prefill = false;  // steps of a size that no memory was planned for
  EXPECT_EQ(with_techniques(options, off).status().code(), StatusCode::kResourceExhausted);
  options.chunked_prefill = false;  // the operator wants it so
  EXPECT_TRUE(with_techniques(options, off).ok());
  options.kv.sliding_window = 64;
  off = techniques;
  off.kv_cache = false;
  EXPECT_EQ(with_techniques(options, off).status().code(), StatusCode::kInvalidArgument);
}

TEST(Techniques, BitsNameThem) {
  for (int32_t bits = 0; bits < 32; ++bits) EXPECT_EQ(bits_of(techniques_from_bits(bits)), bits);
  EXPECT_EQ(bits_of(Techniques()), 31);
}

}  // namespace
}  // namespace orrery::engine
