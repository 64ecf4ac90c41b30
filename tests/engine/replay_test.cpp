// A recording replays bit for bit, and says where it first differs if it does not.
#include "engine/replay.h"

#include <random>

#include "engine/recording.h"
#include "model/loaded_model.h"

namespace orrery::engine {
namespace {

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    kernels_ = make_kernels_for_test(usable_tables().back(), 1);
    loaded_ = load_for_test(golden_models_dir() + "/llama3", 256, *kernels_);
    ASSERT_NE(loaded_.model, nullptr);
    options_.scheduler.max_model_len = 256;
    options_.scheduler.max_num_batched_tokens = 40;
    options_.scheduler.max_num_seqs = 6;
    options_.scheduler.kv.num_blocks = 14;
    options_.scheduler.policy = PolicyKind::kPriority;
  }

  GenerationRequest random_request(std::mt19937& random, uint32_t id) {
    GenerationRequest r;
    r.request.id = id;
    const size_t length = 1 + random() % 40;
    for (size_t i = 0; i < length; ++i) {
      r.request.prompt_token_ids.push_back(
          static_cast<int32_t>(i < 20 ? i : random() % 100));  // shares its beginning
    }
    r.request.max_tokens = static_cast<int32_t>(1 + random() % 40);
    r.request.priority = static_cast<int32_t>(random() % 3);
    r.sampling.temperature = random() % 2 == 0 ? 0.0 : 1.0;
    r.sampling.top_k = 5;
    r.sampling.logit_bias = {{7, 0.25F}};
    r.n = 1 + static_cast<int32_t>(random() % 2);
    r.seed = uint64_t{random()} << 32 | random();
    if (random() % 4 == 0) r.sampling.prompt_logprobs = 0;
    return r;
  }

  // Arrivals, aborts and stops between steps, more than the blocks hold.
  std::vector<trace::Event> record(uint32_t focus) {
    std::mt19937 random(5);
    trace::EventList log;
    auto engine = Engine::create(*loaded_.model, *kernels_, options_, log);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    (*engine)->set_focus(focus);
    uint32_t next = 1;
    for (int step = 0; step < 60 || (*engine)->scheduler().has_unfinished(); ++step) {
      for (uint32_t i = random() % 3; i > 0 && next < 60; --i, next += 2)
        EXPECT_TRUE((*engine)->add_request(random_request(random, next), [](TokenEvent&&) {}).ok());
      if (random() % 6 == 0) (*engine)->abort(1 + random() % next);
      if (random() % 6 == 0) (*engine)->abort(1 + random() % next, FinishReason::kStop);
      (*engine)->step();
    }
    preemptions_ = (*engine)->scheduler().num_preemptions();
    return log.events();
  }

  Result<ReplayResult> replay_of(const std::vector<trace::Event>& recording, bool complete = true) {
    return replay(*loaded_.model, *kernels_, options_, recording, complete);
  }

  std::unique_ptr<kernels::Kernels> kernels_;
  LoadedModel loaded_;
  EngineOptions options_;
  int64_t preemptions_ = 0;
};

TEST_F(ReplayTest, ManyRequestsWithPreemptionsForksAndAbortsReplayIdentically) {
  for (const uint32_t focus : {0U, kEverySequence}) {
    const std::vector<trace::Event> recording = record(focus);
    EXPECT_GT(preemptions_, 0);
    size_t num_from_outside = 0;
    for (const trace::Event& e : recording)
      num_from_outside += e.kind == trace::EventKind::kFinished && e.detail == 1;
    EXPECT_GT(num_from_outside, 3u);
    const auto result = replay_of(recording);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_FALSE(result->difference) << to_string(*result->difference);
    EXPECT_GT(result->num_steps, 50u);
    EXPECT_GT(result->num_events, recording.size() / 2);
  }
}

TEST_F(ReplayTest, ARunWhoseTechniquesWereSwitchedReplaysIdentically) {
  options_.scheduler.kv.num_blocks = 40;  // two whole requests
  std::mt19937 random(7);
  trace::EventList log;
  auto engine = Engine::create(*loaded_.model, *kernels_, options_, log);
  ASSERT_TRUE(engine.ok()) << engine.status().message();
  uint32_t next = 1;
  for (int32_t bits = 0; bits < 32; ++bits) {
    if (!(*engine)->set_techniques(techniques_from_bits(bits)).ok()) continue;
    EXPECT_EQ(bits_of(techniques_of((*engine)->scheduler().options())), bits);
    for (int i = 0; i < 3; ++i, next += 2)
      EXPECT_TRUE((*engine)->add_request(random_request(random, next), [](TokenEvent&&) {}).ok());
    while ((*engine)->step()) {
    }
  }
  EXPECT_EQ(next, 1u + 20u * 6u) << "16 sets without a prefix cache, 4 with one";
  const auto result = replay_of(log.events());
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_FALSE(result->difference) << to_string(*result->difference);
  EXPECT_GT(result->num_events, log.events().size() / 2);
}

TEST_F(ReplayTest, NamesTheEventThatDiffers) {
  const std::vector<trace::Event> recording = record(0);
  std::mt19937 random(11);
  for (int round = 0; round < 8; ++round) {
    std::vector<trace::Event> changed = recording;
    size_t i = random() % changed.size();
    while (changed[i].kind != trace::EventKind::kSampled &&
           changed[i].kind != trace::EventKind::kBlockTaken)
      i = (i + 1) % changed.size();
    changed[i].value[0] ^= 1;
    const auto result = replay_of(changed);
    ASSERT_TRUE(result.ok()) << result.status().message();
    ASSERT_TRUE(result->difference);
    EXPECT_EQ(result->difference->event, i);
    EXPECT_EQ(result->difference->step, recording[i].step);
    EXPECT_EQ(result->difference->recorded, changed[i]);
    EXPECT_EQ(result->difference->replayed, recording[i]);
  }
}

TEST_F(ReplayTest, AMissingEndIsADifferenceUnlessTheRecordingWasCutOff) {
  std::vector<trace::Event> recording = record(0);
  recording.resize(recording.size() / 2);
  const auto cut = replay_of(recording, false);
  ASSERT_TRUE(cut.ok());
  EXPECT_FALSE(cut->difference) << to_string(*cut->difference);
  const auto ended = replay_of(recording);
  ASSERT_TRUE(ended.ok());
  ASSERT_TRUE(ended->difference);
  EXPECT_FALSE(ended->difference->recorded);
}

TEST_F(ReplayTest, RecordingsThatAreNotOneAreRefused) {
  std::vector<trace::Event> recording = record(0);
  const std::vector<trace::Event> middle(recording.begin() + 400, recording.end());
  EXPECT_EQ(replay_of(middle).status().code(), StatusCode::kUnsupported);
  for (trace::Event& event : recording) {
    if (event.kind == trace::EventKind::kRequestParams) event.value[0] = 0;
  }
  EXPECT_EQ(replay_of(recording).status().code(), StatusCode::kMalformed);
}

TEST(Recording, SettingsAndRequestsSurviveJson) {
  EngineOptions options;
  options.kv_dtype = DType::kF32;
  options.scheduler.max_num_seqs = 7;
  options.scheduler.policy = PolicyKind::kFair;
  options.scheduler.tenant_weights = {{3, 5}};
  options.scheduler.kv.num_blocks = 99;
  options.scheduler.kv.hash = sha256;
  const auto same = engine_options_from_json(Json(to_json(options)));
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_EQ(to_json(*same), to_json(options));

  GenerationRequest request;
  request.request.max_tokens = 9;
  request.seed = 0xFEDCBA9876543210;
  request.n = 3;
  request.sampling.temperature = 0.1;
  request.sampling.bad_words = {{1, 2}, {3}};
  request.sampling.allowed_token_ids = {{4, 5}};
  request.sampling.logit_bias = {{6, -0.1F}};
  request.sampling.logprobs = -1;
  const auto copy = request_from_json(Json(to_json(request)));
  ASSERT_TRUE(copy.ok()) << copy.status().message();
  EXPECT_EQ(to_json(*copy), to_json(request));
  EXPECT_EQ(copy->seed, request.seed);
  EXPECT_EQ(copy->sampling.logit_bias[0].bias, -0.1F);

  for (const char* bad : {R"({"seed": -1})", R"({"n": 1.5})", R"({"n": 99999999999})",
                          R"({"bad_words": [1]})", R"({"unheard_of": 1})", "[]"}) {
    EXPECT_FALSE(request_from_json(Json::parse(bad)).ok()) << bad;
  }
}

}  // namespace
}  // namespace orrery::engine
