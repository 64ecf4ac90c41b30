// The two speeds that matter: encoding prose, and loading a large tokenizer.json. Needs the shared
// data (ORRERY_DATA, else ../shared/data beside the working folder).
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "base/mapped_file.h"
#include "tokenizer/large_json.h"
#include "tokenizer/scanner.h"
#include "tokenizer/tokenizer.h"

namespace orrery::tokenizer {
namespace {

std::string data(const std::string& name) {
  const char* set = std::getenv("ORRERY_DATA");
  return (set != nullptr ? std::string(set) : "../shared/data") + "/" + name;
}

std::string read_file(const std::string& name) {
  return std::string(MappedFile::open(data(name)).value().text());
}

std::string prose() {
  return read_file("text/en/wikitext-2-valid.txt") + read_file("text/en/tinyshakespeare.txt") +
         read_file("text/en/botchan.txt");
}

const std::string& llama3_json() {
  static const std::string json = [] {
    const auto ranks = load_any_file(data("tokenizers/llama3/tokenizer.model"), "llama3");
    return make_large_json(*ranks.value(),
                           scan_pattern({ScanStyle::Family::kCl100k, 3, false, true}));
  }();
  return json;
}

void encode(benchmark::State& state, const std::string& file, const std::string& text) {
  const auto tokenizer = load_any_file(data(file)).value();
  size_t tokens = 0;
  for (auto _ : state) {
    const auto ids = tokenizer->encode(text).value();
    tokens += ids.size();
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}

void BM_EncodeProseLlama3(benchmark::State& state) {
  encode(state, "tokenizers/llama3/tokenizer.model", prose());
}
void BM_EncodeProseGpt2(benchmark::State& state) {
  encode(state, "tokenizers/gpt2/tokenizer.json", prose());
}
void BM_EncodeProseO200k(benchmark::State& state) {
  encode(state, "tokenizers/tiktoken/o200k_base.tiktoken", prose());
}
void BM_EncodeProseLlama2(benchmark::State& state) {
  encode(state, "tokenizers/llama2/tokenizer.model", prose());
}
void BM_EncodeProseT5(benchmark::State& state) {
  encode(state, "tokenizers/t5-small/tokenizer.json", prose());
}
void BM_EncodeJapaneseLlama3(benchmark::State& state) {
  encode(state, "tokenizers/llama3/tokenizer.model", read_file("text/ja/wagahaiwa_nekodearu.txt"));
}

void BM_LoadLargeJson(benchmark::State& state) {
  const std::string& json = llama3_json();
  for (auto _ : state) {
    const auto tokenizer = load_tokenizer_json(json, "llama3");
    benchmark::DoNotOptimize(tokenizer.ok());
  }
  state.counters["MB"] = static_cast<double>(json.size()) / 1e6;
}

void BM_LoadRanks(benchmark::State& state) {
  for (auto _ : state) {
    const auto tokenizer = load_any_file(data("tokenizers/llama3/tokenizer.model"), "llama3");
    benchmark::DoNotOptimize(tokenizer.ok());
  }
}

void BM_Decode(benchmark::State& state) {
  const auto tokenizer = load_any_file(data("tokenizers/llama3/tokenizer.model"), "llama3").value();
  const auto ids = tokenizer->encode(prose()).value();
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids).value());
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * ids.size()));
}

BENCHMARK(BM_EncodeProseLlama3)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_EncodeProseGpt2)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_EncodeProseO200k)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_EncodeProseLlama2)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_EncodeProseT5)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_EncodeJapaneseLlama3)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_LoadLargeJson)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_LoadRanks)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Decode)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace orrery::tokenizer
