// What a service leaves in the step-event log: all that the live page shows, and enough to replay.
#include <bit>
#include <cmath>

#include "base/random.h"
#include "engine/recording.h"
#include "engine/replay.h"
#include "llm/text_stream.h"
#include "service_for_tests.h"
#include "trace/recorder.h"

namespace orrery::llm {
namespace {

using trace::Event;
using trace::EventKind;

class ServiceLogTest : public ServiceTest {
 protected:
  // The events of what `use` does with a service.
  template <typename Use>
  trace::EventFile record(const ServiceOptions& options, const Use& use) {
    const std::string path =
        testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name();
    auto service = start(options);
    auto recorder = trace::Recorder::start(trace_, path, dump_json(service->description()));
    EXPECT_TRUE(recorder.ok()) << recorder.status().message();
    use(*service);
    service.reset();
    const Status status = (*recorder)->stop();
    EXPECT_TRUE(status.ok()) << status.message();
    auto file = trace::read_event_file(path);
    EXPECT_TRUE(file.ok()) << file.status().message();
    return std::move(file).value();
  }
  static std::vector<Event> of(const std::vector<Event>& events, EventKind kind) {
    std::vector<Event> result;
    for (const Event& e : events) {
      if (e.kind == kind) result.push_back(e);
    }
    return result;
  }
};

TEST_F(ServiceLogTest, ManyRequestsReplayIdentically) {
  ServiceOptions options = small();
  options.scheduler.kv.num_blocks = 10;
  const trace::EventFile file = record(options, [&](Service& service) {
    std::vector<std::unique_ptr<Collector>> collectors;
    for (int i = 0; i < 12; ++i) {
      CompletionRequest r = request(i % 2 == 0 ? "Once upon a time" : "The little cat", 40);
      r.params.sampling.temperature = 1;  // the seed is the service's
      r.n = 1 + i % 3;
      if (i % 4 == 0) r.params.stop = {"e"};
      collectors.push_back(std::make_unique<Collector>());
      const auto id = service.submit(r, collectors.back()->sink());
      ASSERT_TRUE(id.ok());
      if (i % 5 == 4) service.abort(*id);
    }
    for (auto& collector : collectors) (void)collector->answers();
  });
  EXPECT_TRUE(file.complete);
  const auto metadata = parse_json(file.metadata, "metadata");
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ((*metadata)["identity"], Json(start(small())->description())["identity"]);
  const auto engine_options = engine::engine_options_from_json((*metadata)["engine"]);
  ASSERT_TRUE(engine_options.ok()) << engine_options.status().message();
  const auto result = engine::replay(llm_->model(), llm_->kernels(), *engine_options, file.events);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_FALSE(result->difference) << to_string(*result->difference);
  EXPECT_GT(result->num_events, 500u);
}

TEST_F(ServiceLogTest, TellsTokensDrawsCandidatesAndText) {
  Answer answer;
  CompletionRequest r = request("Once upon a time", 8);
  r.params.sampling.temperature = 1;
  r.params.sampling.top_k = 6;
  r.params.sampling.seed = 3;
  r.params.sampling.logprobs = 4;
  r.params.stop = {" zebra crossing"};
  const auto file = record(small(), [&](Service& service) {
    service.set_focus(engine::kEverySequence);
    answer = ask(service, r);
  });
  std::vector<int32_t> prompt;
  for (const Event& e : of(file.events, EventKind::kPromptTokens))
    prompt.insert(prompt.end(), e.value.begin(), e.value.begin() + e.detail);
  EXPECT_EQ(prompt, r.prompt_token_ids);

  const auto sampled = of(file.events, EventKind::kSampled);
  ASSERT_EQ(sampled.size(), answer.ids.size());
  for (size_t i = 0; i < sampled.size(); ++i) {
    EXPECT_EQ(sampled[i].value[0], answer.ids[i]);
    EXPECT_EQ(sampled[i].value[1], static_cast<int32_t>(prompt.size() + i));
    EXPECT_EQ(sampled[i].detail, 6);
    const uint64_t random = uint64_t{static_cast<uint32_t>(sampled[i].value[2])} << 32 |
                            static_cast<uint32_t>(sampled[i].value[3]);
    EXPECT_EQ(static_cast<double>(random) * 0x1p-64, uniform_double(3, prompt.size() + i));
  }
  EXPECT_EQ(of(file.events, EventKind::kFiltered).size(), sampled.size());
  // The bars are the top log-probabilities, and 6 of 12 candidates stay.
  const auto candidates = of(file.events, EventKind::kCandidate);
  ASSERT_GE(candidates.size(), 12 * sampled.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(std::log(std::bit_cast<float>(candidates[i].value[2])), answer.logprobs[i + 1],
                1e-4);
    EXPECT_EQ(candidates[i].detail, 0);
  }
  EXPECT_EQ(candidates[7].detail, static_cast<uint16_t>(sampler::Filter::kTopK));

  int32_t released = 0;
  for (const Event& e : of(file.events, EventKind::kTextReleased)) {
    released += e.value[0];
    EXPECT_EQ(e.value[1], released);
  }
  EXPECT_EQ(static_cast<size_t>(released), answer.text.size());
  EXPECT_EQ(of(file.events, EventKind::kStepTimed).size(),
            of(file.events, EventKind::kStepPlanned).size());
}

TEST_F(ServiceLogTest, TellsWhyTextIsHeldBack) {
  // A stop string that the text begins and does not end.
  CompletionRequest r = request("Once upon a time", 12);
  const std::string word = llm_->tokenizer()->token_bytes(alone(r).token_ids[2]);
  r.params.stop = {word + "\x01"};
  const auto file = record(small(), [&](Service& service) { (void)ask(service, r); });
  const auto held = of(file.events, EventKind::kTextHeldBack);
  ASSERT_FALSE(held.empty());
  for (const Event& e : held) {
    EXPECT_EQ(e.reason, trace::Reason::kStopString);
    EXPECT_LE(e.value[0], static_cast<int32_t>(word.size()));
  }
  // The bytes of a character, one token after the other.
  const auto emoji = llm_->tokenize("\xF0\x9F\x90\xB1");
  ASSERT_TRUE(emoji.ok());
  CompletionRequest bytes = request("The cat", 4);
  TextStream stream(*llm_->tokenizer(), bytes.prompt_token_ids, bytes.params);
  trace::EventList log;
  std::string released;
  for (const int32_t id : *emoji) {
    const auto now = stream.push(id, false);
    ASSERT_TRUE(now.ok());
    released += *now;
    stream.write_trace(log, 1, 1, *now);
  }
  EXPECT_NE(released.find("\xF0\x9F\x90\xB1"), std::string::npos);
  ASSERT_FALSE(log.events().empty());
  EXPECT_EQ(log.events().front().kind, EventKind::kTextHeldBack);
  EXPECT_EQ(log.events().front().reason, trace::Reason::kIncompleteUtf8);
  EXPECT_EQ(log.events().back().kind, EventKind::kTextReleased);
}

}  // namespace
}  // namespace orrery::llm
