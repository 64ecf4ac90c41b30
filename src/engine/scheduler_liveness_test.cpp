// Recorded arrivals and lengths through the scheduler: everything finishes, hardly anyone is
// preempted often, and what the traces share is shared.
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/test_data.h"
#include "engine/scheduler_for_tests.h"

namespace orrery::engine {
namespace {

struct Arrival {
  int64_t time_ms = 0;
  NewRequest request;
};

constexpr int32_t kTokensPerHash = 32;  // of 512 in the trace: prompts are a sixteenth of theirs
constexpr int32_t kScale = 512 / kTokensPerHash;

// Equal hashes stand for equal tokens.
std::vector<int32_t> tokens_of(const Json& hash_ids, int64_t count, int32_t own) {
  std::vector<int32_t> tokens;
  for (const Json& hash : hash_ids) {
    for (int32_t i = 0; i < kTokensPerHash; ++i) {
      tokens.push_back(hash.get<int32_t>() * kTokensPerHash + i);
    }
  }
  tokens.resize(static_cast<size_t>(count), -own);
  return tokens;
}

// Mooncake's conversations (FAST 2025).
std::vector<Arrival> mooncake(size_t count) {
  std::ifstream in(test_data_dir() + "/workloads/mooncake/conversation_trace.jsonl");
  std::vector<Arrival> arrivals;
  for (std::string line; arrivals.size() < count && std::getline(in, line);) {
    const auto record = parse_json(line, "trace");
    Arrival a;
    a.time_ms = (*record)["timestamp"].get<int64_t>();
    a.request.id = static_cast<uint32_t>(arrivals.size() + 1);
    a.request.prompt_token_ids =
        tokens_of((*record)["hash_ids"], (*record)["input_length"].get<int64_t>() / kScale + 1,
                  static_cast<int32_t>(a.request.id));
    a.request.max_tokens = (*record)["output_length"].get<int32_t>() + 1;
    arrivals.push_back(std::move(a));
  }
  return arrivals;
}

// Azure's code completions of 2023 (ISCA 2024): prompts as long as they were, all at once.
std::vector<Arrival> azure(size_t count) {
  std::ifstream in(test_data_dir() + "/workloads/azure2023/AzureLLMInferenceTrace_code.csv");
  std::vector<Arrival> arrivals;
  std::string line;
  for (std::getline(in, line); arrivals.size() < count && std::getline(in, line);) {
    std::istringstream fields(line.substr(line.find(',') + 1));
    int32_t num_prompt_tokens = 0;
    char comma = 0;
    Arrival a;
    fields >> num_prompt_tokens >> comma >> a.request.max_tokens;
    a.request.id = static_cast<uint32_t>(arrivals.size() + 1);
    a.request.prompt_token_ids.assign(static_cast<size_t>(num_prompt_tokens), -1);
    a.request.prompt_token_ids[0] = static_cast<int32_t>(a.request.id);
    arrivals.push_back(std::move(a));
  }
  return arrivals;
}

class SchedulerLiveness : public SchedulerTest {
 protected:
  struct Outcome {
    int64_t num_finished = 0;
    int64_t num_preemptions = 0;
    int32_t most_preemptions = 0;
    int64_t num_cached_tokens = 0;
    int64_t num_prompt_tokens = 0;
  };

  static int32_t blocks_needed_together(const std::vector<Arrival>& arrivals) {
    int32_t sum = 0;
    for (const Arrival& a : arrivals) {
      sum += blocks_for(static_cast<int32_t>(a.request.prompt_token_ids.size()) +
                        a.request.max_tokens - 1);
    }
    return sum;
  }

  // `step_ms` is what a step is taken to last.
  Outcome serve(std::vector<Arrival> arrivals, const SchedulerOptions& options, int64_t step_ms) {
    scheduler_ = std::move(Scheduler::create(options, no_trace_)).value();
    Outcome outcome;
    size_t next = 0;
    for (int64_t now_ms = 0; next < arrivals.size() || scheduler_->has_unfinished();
         now_ms += step_ms) {
      while (next < arrivals.size() && arrivals[next].time_ms <= now_ms) {
        add(std::move(arrivals[next++].request));
      }
      const StepPlan& plan = schedule();
      update(plan);
      for (const ScheduledRequest& s : plan.scheduled) {
        if (s.request->status != RequestStatus::kFinished) continue;
        ++outcome.num_finished;
        outcome.num_preemptions += s.request->num_preemptions;
        outcome.most_preemptions = std::max(outcome.most_preemptions, s.request->num_preemptions);
        outcome.num_cached_tokens += s.request->num_cached_tokens;
        outcome.num_prompt_tokens += s.request->num_prompt_tokens;
      }
    }
    fmt::print("{} requests, {} preemptions, at most {} of one; {:.1f} % of the prompts cached\n",
               outcome.num_finished, outcome.num_preemptions, outcome.most_preemptions,
               100.0 * static_cast<double>(outcome.num_cached_tokens) /
                   static_cast<double>(outcome.num_prompt_tokens));
    return outcome;
  }
  trace::NoTrace no_trace_;
};

TEST_F(SchedulerLiveness, FinishesRecordedConversationsAndSharesTheirPrefixes) {
  SKIP_WITHOUT_DATA();
  SchedulerOptions options;
  options.max_model_len = 16'384;
  options.max_num_seqs = 128;
  options.kv.num_blocks = 60'000;
  const Outcome outcome = serve(mooncake(2000), options, 50);
  EXPECT_EQ(outcome.num_finished, 2000);
  EXPECT_LE(outcome.most_preemptions, 4);
  EXPECT_GT(outcome.num_cached_tokens * 10, outcome.num_prompt_tokens);
}

TEST_F(SchedulerLiveness, FinishesRecordedConversationsWithATenthOfTheBlocksTheyNeedTogether) {
  SKIP_WITHOUT_DATA();
  std::vector<Arrival> arrivals = mooncake(200);
  for (Arrival& a : arrivals) a.time_ms = 0;
  SchedulerOptions options;
  options.max_model_len = 16'384;
  options.kv.num_blocks = blocks_needed_together(arrivals) / 10;
  const Outcome outcome = serve(std::move(arrivals), options, 50);
  EXPECT_EQ(outcome.num_finished, 200);
  EXPECT_LE(outcome.most_preemptions, 4);
}

TEST_F(SchedulerLiveness, FinishesRecordedCodeCompletionsWithATenthOfTheBlocksTheyNeedTogether) {
  SKIP_WITHOUT_DATA();
  std::vector<Arrival> arrivals = azure(200);
  SchedulerOptions options;
  options.max_model_len = 16'384;
  options.kv.num_blocks = blocks_needed_together(arrivals) / 10;
  const Outcome outcome = serve(std::move(arrivals), options, 50);
  EXPECT_EQ(outcome.num_finished, 200);
  EXPECT_LE(outcome.most_preemptions, 4);
}

}  // namespace
}  // namespace orrery::engine
