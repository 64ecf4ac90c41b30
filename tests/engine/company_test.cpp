// Answers do not depend on the company: tokens and log-probabilities of each request in random
// mixes are the bits of its solo run.
#include <map>
#include <random>

#include "engine/engine.h"
#include "model/loaded_model.h"

namespace orrery::engine {
namespace {

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  FinishReason finish = FinishReason::kNone;
};

// What happened in all the runs, so that a test knows it saw what it is about.
struct Happened {
  int64_t preemptions = 0;
  int64_t cached_tokens = 0;
  int64_t forks = 0;
};

std::vector<int32_t> random_ids(std::mt19937& random, size_t count, int64_t vocab) {
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint32_t>(vocab));
  return ids;
}

GenerationRequest random_request(std::mt19937& random, uint32_t id, int64_t vocab,
                                 std::span<const int32_t> prefix) {
  GenerationRequest r;
  r.request.id = id;
  if (random() % 2 == 0) r.request.prompt_token_ids.assign(prefix.begin(), prefix.end());
  const auto own = random_ids(random, 1 + random() % 50, vocab);
  r.request.prompt_token_ids.insert(r.request.prompt_token_ids.end(), own.begin(), own.end());
  r.request.max_tokens = static_cast<int32_t>(1 + random() % 60);
  r.request.priority = static_cast<int32_t>(random() % 3);
  r.sampling.temperature = random() % 2 == 0 ? 0.0 : 1.0;
  r.sampling.top_k = random() % 2 == 0 ? 0 : 20;
  r.sampling.repetition_penalty = random() % 3 == 0 ? 1.2 : 1.0;
  r.sampling.logprobs = 2;
  r.seed = random();
  return r;
}

// Counts the tokens that were found in the prefix cache, and sequences that share another's blocks.
class CountHits final : public trace::TraceWriter {
 public:
  CountHits() { num_readers_ = 1; }
  int64_t cached_tokens = 0;
  int64_t forks = 0;

 private:
  void append(const trace::Event& event) override {
    if (event.kind == trace::EventKind::kAdmitted) cached_tokens += event.value[0];
    if (event.kind == trace::EventKind::kForked && event.value[2] > 0) ++forks;
  }
};

// Runs all requests, `arrivals_per_step` at a time; aborts those in `aborted` after that many
// tokens.
std::map<uint32_t, Answer> run(const model::Model& model, kernels::Kernels& kernels,
                               const SchedulerOptions& options,
                               const std::vector<GenerationRequest>& requests,
                               size_t arrivals_per_step,
                               const std::map<uint32_t, size_t>& aborted = {},
                               Happened* happened = nullptr) {
  CountHits trace;
  auto engine = Engine::create(model, kernels, {options, DType::kBF16}, trace);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  std::map<uint32_t, Answer> answers;
  size_t next = 0;
  do {
    for (size_t i = 0; i < arrivals_per_step && next < requests.size(); ++i, ++next) {
      const Status status = (*engine)->add_request(requests[next], [&](const TokenEvent& event) {
        Answer& answer = answers[event.request];
        EXPECT_TRUE(event.error.ok()) << event.error.message();
        if (event.finish_reason != FinishReason::kAborted) {
          answer.tokens.push_back(event.token.id);
          answer.logprobs.push_back(event.token.logprob);
          for (const auto& top : event.token.top_logprobs) answer.logprobs.push_back(top.logprob);
        }
        answer.finish = event.finish_reason;
      });
      EXPECT_TRUE(status.ok()) << status.message();
    }
    (*engine)->step();
    for (const auto& [id, tokens] : aborted) {
      const auto it = answers.find(id);
      if (it != answers.end() && it->second.finish == FinishReason::kNone &&
          it->second.tokens.size() >= tokens)
        (*engine)->abort(id);
    }
  } while (next < requests.size() || (*engine)->scheduler().has_unfinished());
  if (happened != nullptr) happened->preemptions += (*engine)->scheduler().num_preemptions();
  if (happened != nullptr) happened->cached_tokens += trace.cached_tokens;
  if (happened != nullptr) happened->forks += trace.forks;
  EXPECT_EQ((*engine)->scheduler().kv().usage().used, 0) << "blocks leak";
  EXPECT_TRUE((*engine)->scheduler().kv().check_integrity().ok());
  return answers;
}

void expect_same(const Answer& got, const Answer& want, const std::string& what) {
  EXPECT_EQ(got.tokens, want.tokens) << what;
  ASSERT_EQ(got.logprobs.size(), want.logprobs.size()) << what;
  EXPECT_EQ(
      std::memcmp(got.logprobs.data(), want.logprobs.data(), got.logprobs.size() * sizeof(float)),
      0)
      << what;
}

SchedulerOptions options_with(int32_t num_blocks, int32_t budget, int32_t max_num_seqs) {
  SchedulerOptions options;
  options.max_num_batched_tokens = budget;
  options.max_num_seqs = max_num_seqs;
  options.max_model_len = 256;
  options.kv.num_blocks = num_blocks;
  return options;
}

class EngineCompany : public testing::TestWithParam<std::string> {};

struct Mix {
  std::string name;
  SchedulerOptions options;
  size_t arrivals_per_step = 0;
  std::map<uint32_t, size_t> aborted = {};
  bool forks = false;
  bool one_thread = false;
};

std::vector<Mix> mixes() {
  SchedulerOptions priority = options_with(30, 48, 8);
  priority.policy = PolicyKind::kPriority;
  SchedulerOptions cacheless = options_with(64, 64, 16);
  cacheless.kv.enable_prefix_caching = false;
  return {
      {"all at once, ample", options_with(200, 512, 16), 14},
      {"small chunks", options_with(200, 16, 16), 3, {}, false, true},
      {"few blocks: preemptions", options_with(12, 64, 8), 14},
      {"priority", priority, 2, {}, false, true},
      {"no prefix cache", cacheless, 5},
      {"neighbours aborted", options_with(24, 40, 8), 4, {{10, 1}, {50, 2}, {90, 3}}},
      {"forks", options_with(200, 64, 16), 3, {}, true},
      {"forks, few blocks, one aborted", options_with(14, 48, 6), 4, {{31, 2}}, true, true},
      {"forks without prefix cache", cacheless, 2, {}, true},
  };
}

// Sequences beside the first that a request has in a mix with forks.
int32_t num_forks(uint32_t id) { return static_cast<int32_t>(id / 10 % 3); }

TEST_P(EngineCompany, NeverChangesAnAnswer) {
  const std::string table = usable_tables().back();
  const auto kernels = make_kernels_for_test(table, 2);
  const auto one_thread = make_kernels_for_test(table, 1);
  const LoadedModel loaded = load_for_test(golden_models_dir() + "/" + GetParam(), 256, *kernels);
  ASSERT_NE(loaded.model, nullptr);
  const int64_t vocab = loaded.model->config().vocab_size;
  Happened happened;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    std::mt19937 random(seed);
    const auto prefix = random_ids(random, 40, vocab);
    std::vector<GenerationRequest> requests;
    for (uint32_t id = 10; id <= 140; id += 10)
      requests.push_back(random_request(random, id, vocab, prefix));
    std::map<uint32_t, Answer> solo;
    for (const GenerationRequest& request : requests) {
      for (int32_t i = 0; i <= num_forks(request.request.id); ++i) {
        GenerationRequest alone = request;
        alone.request.id += static_cast<uint32_t>(i);
        alone.seed = sequence_seed(request.seed, i);
        solo[alone.request.id] =
            run(*loaded.model, *kernels, options_with(64, 256, 8), {alone}, 1)[alone.request.id];
      }
    }
    for (const Mix& mix : mixes()) {
      std::vector<GenerationRequest> asked = requests;
      for (GenerationRequest& r : asked) r.n = mix.forks ? 1 + num_forks(r.request.id) : 1;
      const auto answers = run(*loaded.model, mix.one_thread ? *one_thread : *kernels, mix.options,
                               asked, mix.arrivals_per_step, mix.aborted, &happened);
      for (const auto& [id, answer] : solo) {
        if (mix.aborted.contains(id) || (id % 10 != 0 && !mix.forks)) continue;
        expect_same(answers.at(id), answer,
                    GetParam() + ", " + mix.name + ", seed " + std::to_string(seed) + ", request " +
                        std::to_string(id));
      }
    }
  }
  // A sliding window gives its blocks back too soon for that.
  if (loaded.model->config().windows[0] == 0) {
    EXPECT_GT(happened.preemptions, 0);
  }
  EXPECT_GT(happened.cached_tokens, 0);
  EXPECT_GT(happened.forks, 0);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, EngineCompany, testing::Values("llama3", "mistral", "qwen3"),
                         [](const auto& test) { return test.param; });

// A mask that leaves nothing ends its own request and nobody else's.
class NothingAllowed final : public sampler::TokenMask {
 public:
  Status apply(std::span<uint32_t> bits) const override {
    std::fill(bits.begin(), bits.end(), 0);
    return {};
  }
};

TEST(Engine, OneRequestsFaultIsNotAnothers) {
  const auto kernels = make_kernels_for_test(usable_tables().back(), 1);
  const LoadedModel loaded = load_for_test(golden_models_dir() + "/llama3", 256, *kernels);
  ASSERT_NE(loaded.model, nullptr);
  std::mt19937 random(7);
  std::vector<GenerationRequest> requests;
  for (uint32_t id = 1; id <= 3; ++id)
    requests.push_back(random_request(random, id, loaded.model->config().vocab_size, {}));
  const auto expected =
      run(*loaded.model, *kernels, options_with(64, 64, 8), {requests[0], requests[2]}, 2);
  const NothingAllowed mask;
  requests[1].mask = &mask;
  trace::NoTrace trace;
  auto engine =
      Engine::create(*loaded.model, *kernels, {options_with(64, 64, 8), DType::kBF16}, trace);
  ASSERT_TRUE(engine.ok());
  std::map<uint32_t, Answer> answers;
  Status fault;
  for (const GenerationRequest& request : requests) {
    ASSERT_TRUE((*engine)
                    ->add_request(request,
                                  [&](const TokenEvent& event) {
                                    if (!event.error.ok()) {
                                      fault = event.error;
                                      return;
                                    }
                                    answers[event.request].tokens.push_back(event.token.id);
                                  })
                    .ok());
  }
  while ((*engine)->step()) {
  }
  EXPECT_EQ(fault.code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(answers.contains(2));
  EXPECT_EQ(answers[1].tokens, expected.at(1).tokens);
  EXPECT_EQ(answers[3].tokens, expected.at(3).tokens);
}

// Between two steps, whatever the request is doing: waiting, in the middle of its prompt, before
// and after it is forked.
TEST(Engine, AnAbortFreesEveryBlockBeforeTheNextStep) {
  const auto kernels = make_kernels_for_test(usable_tables().back(), 1);
  const LoadedModel loaded = load_for_test(golden_models_dir() + "/llama3", 256, *kernels);
  ASSERT_NE(loaded.model, nullptr);
  for (int steps_before = 0; steps_before < 8; ++steps_before) {
    trace::NoTrace trace;
    const auto engine =
        Engine::create(*loaded.model, *kernels, {options_with(64, 16, 8), DType::kBF16}, trace);
    ASSERT_TRUE(engine.ok());
    GenerationRequest request;
    request.request.id = 1;
    request.request.prompt_token_ids.assign(50, 3);
    request.request.max_tokens = 100;
    request.ignore_eos = true;
    request.n = 3;
    int num_aborted = 0;
    ASSERT_TRUE((*engine)
                    ->add_request(request,
                                  [&](const TokenEvent& event) {
                                    num_aborted += event.finish_reason == FinishReason::kAborted;
                                  })
                    .ok());
    for (int step = 0; step < steps_before; ++step) (*engine)->step();
    for (const uint32_t id : {1U, 2U, 3U}) (*engine)->abort(id);
    EXPECT_EQ((*engine)->scheduler().kv().usage().used, 0) << steps_before;
    EXPECT_EQ(num_aborted, 3) << steps_before;
    EXPECT_FALSE((*engine)->step());
  }
}

TEST(Engine, IdsOutsideTheVocabularyAreRefusedAtTheDoor) {
  const auto kernels = make_kernels_for_test(usable_tables().back(), 1);
  const LoadedModel loaded = load_for_test(golden_models_dir() + "/llama3", 256, *kernels);
  ASSERT_NE(loaded.model, nullptr);
  trace::NoTrace trace;
  auto engine =
      Engine::create(*loaded.model, *kernels, {options_with(64, 64, 8), DType::kBF16}, trace);
  ASSERT_TRUE(engine.ok());
  const auto vocab = static_cast<int32_t>(loaded.model->config().vocab_size);
  uint32_t next = 1;
  for (const int32_t id : {-1, vocab, INT32_MAX}) {
    GenerationRequest request;
    request.request.id = next++;
    request.request.prompt_token_ids = {1, id};
    request.request.max_tokens = 1;
    EXPECT_EQ((*engine)->add_request(request, [](const TokenEvent&) {}).code(),
              StatusCode::kInvalidArgument);
    request.request.id = next++;
    request.request.prompt_token_ids = {1};
    request.sampling.stop_token_ids = {id};
    EXPECT_EQ((*engine)->add_request(request, [](const TokenEvent&) {}).code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE((*engine)->step());
}

}  // namespace
}  // namespace orrery::engine
