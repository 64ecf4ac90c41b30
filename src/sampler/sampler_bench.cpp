// One draw from a row of 128,256 logits (Llama 3's vocabulary), by kind of parameters.
//
// "peaked" imitates a language model: a normal bulk (sigma 2) and 30 tokens that stand out by up to
// 14; "flat" is a normal row (sigma 1), in which top_p 0.9 keeps over half of the vocabulary. The
// row is copied before each call, as the call overwrites it; BM_CopyOfTheRow is that cost.
#include <benchmark/benchmark.h>

#include <random>

#include "sampler/sampler.h"

namespace orrery::sampler {
namespace {

constexpr int64_t kVocabSize = 128256;

std::vector<float> make_row(bool peaked) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, peaked ? 2.0F : 1.0F);
  std::vector<float> row(kVocabSize);
  for (float& x : row) x = normal(random);
  for (int i = 0; peaked && i < 30; ++i) row[random() % kVocabSize] = 8.0F + 0.4F * i;
  return row;
}

void run(benchmark::State& state, const SamplingParams& params, const SampleInput& history = {}) {
  const std::vector<float> row = make_row(state.range(0) == 1);
  std::vector<float> logits = row;
  Sampler sampler(kVocabSize);
  SampleInput input = history;
  for (auto _ : state) {
    logits = row;
    ++input.position;
    benchmark::DoNotOptimize(sampler.sample(logits, params, input).value().id);
  }
  state.SetLabel(state.range(0) == 1 ? "peaked" : "flat");
}

void BM_CopyOfTheRow(benchmark::State& state) {
  const std::vector<float> row = make_row(state.range(0) == 1);
  std::vector<float> logits = row;
  for (auto _ : state) {
    logits = row;
    benchmark::DoNotOptimize(logits.data());
  }
}
void BM_Greedy(benchmark::State& state) { run(state, {.temperature = 0}); }
void BM_GreedyLogprobs5(benchmark::State& state) { run(state, {.temperature = 0, .logprobs = 5}); }
void BM_Temperature(benchmark::State& state) { run(state, {.temperature = 0.8}); }
void BM_TopP(benchmark::State& state) { run(state, {.temperature = 0.8, .top_p = 0.95}); }
void BM_TopK(benchmark::State& state) { run(state, {.temperature = 0.8, .top_k = 40}); }
void BM_TopKTopP(benchmark::State& state) {
  run(state, {.temperature = 0.8, .top_p = 0.95, .top_k = 40});
}
void BM_TopK20000(benchmark::State& state) { run(state, {.temperature = 0.8, .top_k = 20000}); }
void BM_MinP(benchmark::State& state) { run(state, {.temperature = 0.8, .min_p = 0.05}); }
void BM_TypicalP(benchmark::State& state) { run(state, {.temperature = 0.8, .typical_p = 0.95}); }
void BM_Penalties4096(benchmark::State& state) {
  std::vector<int32_t> ids(4096);
  std::mt19937 random(2);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % kVocabSize);
  run(state, {.temperature = 0, .frequency_penalty = 0.5, .repetition_penalty = 1.1},
      {.prompt_ids = ids, .output_ids = ids});
}

BENCHMARK(BM_CopyOfTheRow)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Greedy)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_GreedyLogprobs5)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Temperature)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TopP)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TopK)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TopKTopP)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TopK20000)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_MinP)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TypicalP)->Arg(1)->Arg(0)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Penalties4096)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace orrery::sampler
