// orrery bench serve: requests to a running server, any that speaks the OpenAI API, as they come in
// life: at random times, or those of a trace.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/random.h"
#include "cli/bench.h"
#include "cli/bench_serve_plot.h"
#include "cli/terminal.h"
#include "cli/workload.h"
#include "server/http_load.h"

namespace orrery::cli {
namespace {

struct ServeBench {
  std::string url = "http://127.0.0.1:8000";
  std::string model = "demo";
  std::string trace, plot;
  int64_t num_requests = 200, prompt_tokens = 64, output_tokens = 64, max_concurrency = 0;
  int64_t max_len = 512, vocab_size = 256, seed = 0;
  double request_rate = 0, rate_scale = 1, length_scale = 1, timeout_s = 600;
  double goodput_ttft_s = 1, goodput_itl_s = 0.1;
  bool json = false;

  std::vector<Flag> flags() {
    constexpr int64_t kMany = int64_t{1} << 30;
    return {
        {"--url", 0, "URL", "default http://127.0.0.1:8000; may end in /v1/chat/completions",
         set_text(url)},
        {"--model", 0, "NAME", "in the requests (default demo)", set_text(model)},
        {"--requests", 0, "N", "in all (default 200)", set_int(num_requests, 1, kMany)},
        {"--request-rate", 0, "R", "a second, at random (Poisson); 0: all at once (default)",
         set_double(request_rate, 0, 1e9)},
        {"--trace", 0, "FILE", "arrivals and lengths of a trace (Azure, Mooncake, ServeGen)",
         set_text(trace)},
        {"--rate-scale", 0, "X", "a trace's arrivals so many times as fast (default 1)",
         set_double(rate_scale, 0, 1e9)},
        {"--length-scale", 0, "X",
         "a trace's prompts and outputs so many times as long (default 1)",
         set_double(length_scale, 1e-6, 1000)},
        {"--max-len", 0, "N", "a trace's prompt and output are clipped to it (default 512)",
         set_int(max_len, 2, kMany)},
        {"--prompt-tokens", 0, "N", "each (default 64)", set_int(prompt_tokens, 1, kMany)},
        {"--output-tokens", 0, "N", "each (default 64)", set_int(output_tokens, 1, kMany)},
        {"--vocab-size", 0, "N", "prompts are random ids below it; of a chat, words (default 256)",
         set_int(vocab_size, 8, kMany)},
        {"--max-concurrency", 0, "N", "under way at once (default: no limit)",
         set_int(max_concurrency, 0, kMany)},
        {"--goodput-ttft", 0, "S", "counts as good: first token within (default 1)",
         set_double(goodput_ttft_s, 0, 1e9)},
        {"--goodput-itl", 0, "S", "and mean time between tokens within (default 0.1)",
         set_double(goodput_itl_s, 0, 1e9)},
        {"--seed", 0, "S", "of arrivals and prompts (default 0)",
         set_int(seed, 0, std::numeric_limits<int64_t>::max())},
        {"--timeout", 0, "S", "for all together (default 600)", set_double(timeout_s, 0.1, 1e9)},
        {"--plot", 0, "FILE", "write a picture, as SVG", set_text(plot)},
        {"--json", 0, "", "one JSON object", set_switch(json)},
    };
  }
};

std::vector<Work> random_work(const ServeBench& bench) {
  std::vector<Work> work(static_cast<size_t>(bench.num_requests));
  double at = 0;
  for (size_t i = 0; i < work.size(); ++i) {
    const auto draw = [&](uint32_t index) {
      return uniform_double(static_cast<uint64_t>(bench.seed), i, index);
    };
    work[i].arrival_s = at;
    if (bench.request_rate > 0) at -= std::log1p(-draw(0)) / bench.request_rate;
    work[i].output_tokens = static_cast<int32_t>(bench.output_tokens);
    for (int64_t t = 0; t < bench.prompt_tokens; ++t) {
      const double id =
          4 + draw(static_cast<uint32_t>(t) + 1) * static_cast<double>(bench.vocab_size - 4);
      work[i].prompt.push_back(static_cast<int32_t>(id));
    }
  }
  return work;
}

Result<std::vector<Work>> traced_work(const ServeBench& bench) {
  ASSIGN_OR_RETURN(const Workload workload,
                   read_workload(bench.trace, {.limit = bench.num_requests,
                                               .seed = static_cast<uint64_t>(bench.seed)}));
  FittedWorkload fitted = fit(workload, {.rate_scale = bench.rate_scale,
                                         .length_scale = bench.length_scale,
                                         .max_len = bench.max_len,
                                         .vocab_size = bench.vocab_size,
                                         .seed = static_cast<uint64_t>(bench.seed)});
  return std::move(fitted.work);
}

std::vector<server::LoadRequest> requests_of(const ServeBench& bench, const std::vector<Work>& work,
                                             bool chat) {
  std::vector<server::LoadRequest> requests;
  for (const Work& one : work) {
    OrderedJson body;
    body["model"] = bench.model;
    if (chat) {
      // Text, for ids mean something to one tokenizer alone; equal ids are equal words.
      body["messages"] = OrderedJson::array(
          {{{"role", "user"}, {"content", fmt::format("{}", fmt::join(one.prompt, " "))}}});
    } else {
      body["prompt"] = one.prompt;
    }
    body["max_tokens"] = one.output_tokens;
    body["ignore_eos"] = true;
    body["temperature"] = 0;
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    requests.push_back({one.arrival_s, dump_json(body)});
  }
  return requests;
}

struct Summary {
  std::vector<double> ttft_s, itl_s;
  std::vector<double> token_s;
  std::vector<ServePlot::End> ends;
  int64_t complete = 0, good = 0, output_tokens = 0;
  double seconds = 0;
  std::string first_error;
};

Summary summarise(const ServeBench& bench, const std::vector<server::LoadResult>& results) {
  Summary sum;
  for (const server::LoadResult& result : results) {
    if (!result.complete) {
      if (sum.first_error.empty()) sum.first_error = result.error;
      continue;
    }
    ++sum.complete;
    sum.output_tokens += result.output_tokens;
    if (result.token_s.empty()) continue;
    const double first = result.token_s.front(), last = result.token_s.back();
    sum.seconds = std::max(sum.seconds, last);
    sum.ttft_s.push_back(first - result.sent_s);
    for (size_t i = 1; i < result.token_s.size(); ++i) {
      sum.itl_s.push_back(result.token_s[i] - result.token_s[i - 1]);
    }
    sum.token_s.insert(sum.token_s.end(), result.token_s.begin(), result.token_s.end());
    const double gaps = static_cast<double>(std::max<size_t>(result.token_s.size() - 1, 1));
    const bool good =
        sum.ttft_s.back() <= bench.goodput_ttft_s && (last - first) / gaps <= bench.goodput_itl_s;
    sum.good += good ? 1 : 0;
    sum.ends.push_back({last, good});
  }
  return sum;
}

OrderedJson percentiles(const std::vector<double>& values) {
  return {{"p50", percentile(values, 50)},
          {"p90", percentile(values, 90)},
          {"p99", percentile(values, 99)}};
}

void print(const ServeBench& bench, size_t num_requests, const Summary& sum) {
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  const double seconds = std::max(sum.seconds, 1e-9);
  if (bench.json) {
    OrderedJson json;
    json["model"] = bench.model;
    // Of the server's machine, which this one does not know.
    for (const char* key : {"format", "threads", "isa", "limits"}) json[key] = nullptr;
    json["requests"] = num_requests;
    json["complete"] = sum.complete;
    json["seconds"] = sum.seconds;
    json["ttft_s"] = percentiles(sum.ttft_s);
    json["itl_s"] = percentiles(sum.itl_s);
    json["output_tokens_per_s"] = number(sum.output_tokens) / seconds;
    json["requests_per_s"] = number(sum.complete) / seconds;
    json["goodput"] = number(sum.good) / seconds;
    fmt::print("{}\n", dump_json(json));
    return;
  }
  const auto line = [](std::string_view name, const std::vector<double>& values) {
    fmt::print("{:<22} p50 {:9.2f} ms   p90 {:9.2f} ms   p99 {:9.2f} ms\n", name,
               percentile(values, 50) * 1e3, percentile(values, 90) * 1e3,
               percentile(values, 99) * 1e3);
  };
  fmt::print("{} of {} requests complete in {:.2f} s\n", sum.complete, num_requests, sum.seconds);
  line("time to first token", sum.ttft_s);
  line("time between tokens", sum.itl_s);
  fmt::print("{:<22} {:.1f} tokens/s, {:.2f} requests/s\n", "throughput",
             number(sum.output_tokens) / seconds, number(sum.complete) / seconds);
  fmt::print("{:<22} {:.2f} requests/s within {} s to the first token and {} s between tokens\n",
             "goodput", number(sum.good) / seconds, bench.goodput_ttft_s, bench.goodput_itl_s);
}

Status write_plot(const ServeBench& bench, size_t num_requests, Summary& sum) {
  const std::string arrivals = !bench.trace.empty() ? "as in " + bench.trace
                               : bench.request_rate > 0
                                   ? fmt::format("{:g} a second, at random", bench.request_rate)
                                   : "all at once";
  return write_file(
      bench.plot,
      serve_plot({.title = fmt::format("{} at {}", bench.model, bench.url),
                  .subtitle = fmt::format("{} of {} requests complete in {:.1f} s; they came {}",
                                          sum.complete, num_requests, sum.seconds, arrivals),
                  .ttft_s = std::move(sum.ttft_s),
                  .itl_s = std::move(sum.itl_s),
                  .ttft_limit_s = bench.goodput_ttft_s,
                  .itl_limit_s = bench.goodput_itl_s,
                  .token_s = std::move(sum.token_s),
                  .ends = std::move(sum.ends),
                  .seconds = sum.seconds}));
}

Status bench(const ServeBench& options) {
  ASSIGN_OR_RETURN(server::LoadTarget target, server::parse_load_url(options.url));
  for (const char* name : {"ORRERY_API_KEY", "OPENAI_API_KEY"}) {
    const char* key = std::getenv(name);
    if (key != nullptr && target.authorization.empty())
      target.authorization = std::string("Bearer ") + key;
  }
  std::vector<Work> work;
  if (options.trace.empty()) {
    work = random_work(options);
  } else {
    ASSIGN_OR_RETURN(work, traced_work(options));
  }
  ASSIGN_OR_RETURN(const std::vector<server::LoadResult> results,
                   server::run_load(target, requests_of(options, work, target.chat),
                                    {.max_concurrency = options.max_concurrency,
                                     .timeout_s = options.timeout_s,
                                     .progress = progress_bar("requests")}));
  Summary sum = summarise(options, results);
  print(options, results.size(), sum);
  if (!options.plot.empty()) RETURN_IF_ERROR(write_plot(options, results.size(), sum));
  if (sum.complete == static_cast<int64_t>(results.size())) return {};
  return io_error("{} of {} requests failed; the first: {}",
                  static_cast<int64_t>(results.size()) - sum.complete, results.size(),
                  sum.first_error);
}

}  // namespace

int bench_serve_command(Args args) {
  ServeBench options;
  std::vector<std::string> positional;
  const auto code = parse_command_line("bench serve", "bench serve [--url URL] [flags]", args,
                                       options.flags(), 0, positional);
  if (code) return *code;
  const Status status = bench(options);
  return status.ok() ? kDone : report("bench serve", status);
}

}  // namespace orrery::cli
