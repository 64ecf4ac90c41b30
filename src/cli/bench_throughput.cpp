// orrery bench throughput: many requests at once through the engine, at several numbers of them.
//
// All requests of a batch arrive together, with prompts of their own; what is timed is the whole,
// and the decoding after the last prompt was taken in. Rounds of all batch sizes are interleaved,
// and the median round counts, since shared machines drift.
#include "cli/bench_throughput.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "base/thread_pool.h"
#include "cli/terminal.h"
#include "engine/engine.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/limits.h"

namespace orrery::cli {
namespace {

struct Options {
  EngineOptions engine;
  std::vector<int64_t> batches;
  int64_t prompt_tokens = 128, output_tokens = 64, rounds = 3;
  TraceOptions trace;
  bool json = false;
};

struct Rates {
  double decode_tokens_per_s =
      0;  // tokens after each request's first, from when the last prompt was in
  double total_tokens_per_s = 0;  // prompts and outputs over the whole time
};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

engine::GenerationRequest make_request(const Options& options, uint32_t id, int64_t vocab) {
  engine::GenerationRequest request;
  request.request.id = id;
  request.request.max_tokens = static_cast<int32_t>(options.output_tokens);
  for (int64_t i = 0; i < options.prompt_tokens; ++i) {
    request.request.prompt_token_ids.push_back(
        static_cast<int32_t>((id * 104729 + i * 7919 + 13) % vocab));
  }
  request.sampling.temperature = 0;
  request.ignore_eos = true;
  return request;
}

Result<Rates> run_batch(const Options& options, llm::Llm& llm, int64_t batch) {
  engine::EngineOptions engine_options;
  engine_options.kv_dtype = llm.kv_dtype();
  engine::SchedulerOptions& scheduler = engine_options.scheduler;
  const int64_t length = options.prompt_tokens + options.output_tokens;
  scheduler.max_model_len = static_cast<int32_t>(length);
  scheduler.max_num_seqs = static_cast<int32_t>(batch);
  scheduler.max_num_batched_tokens =
      static_cast<int32_t>(std::max(options.engine.llm.max_num_batched_tokens, batch));
  scheduler.kv.num_blocks =
      static_cast<int32_t>(batch * (engine::blocks_for(static_cast<int32_t>(length)) + 1));
  trace::NoTrace trace;
  ASSIGN_OR_RETURN(const auto engine,
                   engine::Engine::create(llm.model(), llm.kernels(), engine_options, trace));
  int64_t first_tokens = 0, tokens = 0, tokens_when_decoding = 0;
  std::map<uint32_t, bool> begun;
  const double start = now_seconds();
  double decoding = start;
  for (uint32_t id = 1; id <= static_cast<uint32_t>(batch); ++id) {
    RETURN_IF_ERROR(engine->add_request(make_request(options, id, llm.model().config().vocab_size),
                                        [&](const engine::TokenEvent& event) {
                                          ++tokens;
                                          if (!std::exchange(begun[event.request], true))
                                            ++first_tokens;
                                        }));
  }
  while (engine->scheduler().has_unfinished()) {
    const bool prefilling = first_tokens < batch;
    engine->step();
    if (prefilling && first_tokens == batch) {
      decoding = now_seconds();
      tokens_when_decoding = tokens;
    }
  }
  const double end = now_seconds();
  Rates rates;
  rates.decode_tokens_per_s = static_cast<double>(tokens - tokens_when_decoding) / (end - decoding);
  rates.total_tokens_per_s =
      static_cast<double>(batch * options.prompt_tokens + tokens) / (end - start);
  return rates;
}

Result<std::vector<Rates>> measure(const Options& options, llm::Llm& llm) {
  std::vector<std::vector<double>> decode(options.batches.size()), total(options.batches.size());
  const auto progress = progress_bar("measuring");
  for (int64_t round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < options.batches.size(); ++i) {
      ASSIGN_OR_RETURN(const Rates rates, run_batch(options, llm, options.batches[i]));
      decode[i].push_back(rates.decode_tokens_per_s);
      total[i].push_back(rates.total_tokens_per_s);
      const auto done = static_cast<double>(round) +
                        static_cast<double>(i + 1) / static_cast<double>(options.batches.size());
      progress(done / static_cast<double>(options.rounds));
    }
  }
  std::vector<Rates> medians;
  for (size_t i = 0; i < options.batches.size(); ++i)
    medians.push_back({median(decode[i]), median(total[i])});
  return medians;
}

OrderedJson to_json(const Options& options, const llm::Llm& llm,
                    const kernels::cpu::MachineLimits& limits, const std::vector<Rates>& rates) {
  OrderedJson json = bench_header(options.engine, llm, limits);
  json["prompt_tokens"] = options.prompt_tokens;
  json["output_tokens"] = options.output_tokens;
  json["throughput"] = OrderedJson::array();
  for (size_t i = 0; i < rates.size(); ++i) {
    json["throughput"].push_back({{"batch", options.batches[i]},
                                  {"decode_tokens_per_s", rates[i].decode_tokens_per_s},
                                  {"total_tokens_per_s", rates[i].total_tokens_per_s}});
  }
  return json;
}

Status bench(Options& options) {
  ASSIGN_OR_RETURN(const auto* table, kernels::cpu::choose_table(options.engine.cpu_isa));
  if (options.engine.threads == 0) options.engine.threads = ThreadPool(0).num_threads();
  if (!options.trace.file.empty()) return bench_trace(options.engine, options.trace, options.json);
  if (options.batches.empty()) options.batches = {1, 4, 16, 32};
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  ASSIGN_OR_RETURN(const auto limits,
                   kernels::cpu::measure_limits(*table, static_cast<int>(options.engine.threads)));
  llm->kernels().bind_caller();  // now, or the limits' threads would share its CPU
  ASSIGN_OR_RETURN(const std::vector<Rates> rates, measure(options, *llm));
  if (options.json) {
    fmt::print("{}\n", dump_json(to_json(options, *llm, limits, rates)));
    return {};
  }
  fmt::print("{}  {}, {} threads, {}; {} tokens in, {} out\n", options.engine.llm.model,
             bench_format(*llm), options.engine.threads, llm->kernels().name(),
             options.prompt_tokens, options.output_tokens);
  fmt::print("  batch   decode tokens/s   all tokens/s   decode against one at a time\n");
  for (size_t i = 0; i < rates.size(); ++i) {
    fmt::print("{:>7} {:>17.1f} {:>14.1f} {:>13.2f} ×\n", options.batches[i],
               rates[i].decode_tokens_per_s, rates[i].total_tokens_per_s,
               rates[i].decode_tokens_per_s / rates[0].decode_tokens_per_s);
  }
  return {};
}

}  // namespace

int bench_throughput_command(Args args) {
  Options options;
  std::vector<Flag> flags = {
      {"--batch", 0, "N", "requests at once; may be repeated (default 1, 4, 16, 32)",
       [&options](std::string_view value) -> Status {
         int64_t batch = 0;
         RETURN_IF_ERROR(set_int(batch, 1, 4096)(value));
         options.batches.push_back(batch);
         return {};
       }},
      {"--prompt-tokens", 0, "N", "tokens of each prompt (default 128)",
       set_int(options.prompt_tokens, 1, 1 << 20)},
      {"--output-tokens", 0, "N", "tokens generated for each (default 64)",
       set_int(options.output_tokens, 1, 1 << 20)},
      {"--rounds", 0, "N", "rounds, of which the median counts (default 3)",
       set_int(options.rounds, 1, 1000)},
      {"--trace", 0, "FILE", "arrivals and lengths of a trace (Azure, Mooncake, ServeGen)",
       set_text(options.trace.file)},
      {"--limit", 0, "N", "with --trace: the first N requests (default 100)",
       set_int(options.trace.limit, 1, 1'000'000)},
      {"--rate-scale", 0, "X", "with --trace: arrivals X times as fast; 0: all at once (default 1)",
       set_double(options.trace.rate_scale, 0, 1e6)},
      {"--length-scale", 0, "X", "with --trace: prompts and outputs X times as long (default 1)",
       set_double(options.trace.length_scale, 1e-6, 1000)},
      {"--max-len", 0, "N", "with --trace: clip prompt and output to it (default: the model's)",
       set_optional_int(options.trace.max_len, 2, 1 << 24)},
      {"--num-kv-blocks", 0, "N",
       "with --trace: blocks of 16 tokens in the KV cache (default: 1 GiB)",
       set_optional_int(options.trace.num_kv_blocks, 1, 1 << 26)},
      {"--max-num-seqs", 0, "N", "with --trace: requests running at once (default 256)",
       set_int(options.trace.max_num_seqs, 1, 65536)},
      {"--json", 0, "", "one JSON object", set_switch(options.json)},
  };
  std::vector<std::string> positional;
  flags = join(std::move(flags), options.engine.flags());
  const auto code = parse_command_line("bench throughput", "bench throughput [MODEL] [flags]", args,
                                       std::move(flags), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  const Status status = bench(options);
  return status.ok() ? kDone : report("bench throughput", status);
}

}  // namespace orrery::cli
