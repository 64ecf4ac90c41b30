// orrery batch: a file of requests through the whole engine, a file of results out.
//
// So many requests are on their way that the engine always has more waiting than it can run. Each
// result is appended when it is there; a run that was killed goes on where it was.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>

#include "base/mapped_file.h"
#include "cli/batch_file.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "llm/service.h"
#include "server/openai_service.h"

namespace orrery::cli {
namespace {

struct Options {
  EngineOptions engine;
  engine::MemoryOptions memory;
  std::string input, output;
  std::vector<std::string> served_model_names;
  int64_t max_num_seqs = 64;

  std::vector<Flag> flags() {
    std::vector<Flag> own = {
        {"--input", 'i', "FILE", "requests, one JSON object per line", set_text(input)},
        {"--output", 'o', "FILE", "results; what it holds already is not done again",
         set_text(output)},
        {"--served-model-name", 0, "NAME", "what `model` may be in requests; may be repeated",
         append_text(served_model_names)},
        {"--max-num-seqs", 0, "N", "sequences at once in the engine (default 64)",
         set_int(max_num_seqs, 1, 4096)},
    };
    return join(join(std::move(own), kv_memory_flags(memory)), engine.flags());
  }
};

struct Counts {
  int64_t total = 0, earlier = 0, answered = 0, failed = 0;
};

// A draw without a seed depends on the request alone, so that a resumed run answers as an
// undisturbed one: FNV-1a of its custom_id.
uint64_t seed_of(std::string_view custom_id) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : custom_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class Batch {
 public:
  Batch(server::OpenAiService& openai, BatchOutput& output, int64_t window, int64_t total)
      : openai_(openai), output_(output), window_(window) {
    counts_.total = total;
  }

  Status run(std::string_view input);
  const Counts& counts() const { return counts_; }

 private:
  class Sink;
  void start(BatchLine line);
  void finish(std::string_view result, bool good, bool was_submitted);
  void stop(Status status);

  server::OpenAiService& openai_;
  BatchOutput& output_;
  const int64_t window_;
  std::function<void(double)> progress_ = progress_bar("batch");

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t num_running_ = 0;
  Counts counts_;
  Status failure_;  // of the output
};

class Batch::Sink final : public server::OpenAiSink {
 public:
  Sink(Batch& batch, BatchLine line) : batch_(batch), line_(std::move(line)) {}

  void respond(std::string json) override {
    batch_.finish(batch_result(line_, 200, json), true, true);
  }
  void fail(const server::ApiError& error) override {
    if (error.status >= 500) {  // not the request's fault: another run may answer it
      return batch_.stop(io_error("{}: {}", line_.custom_id, error.message));
    }
    batch_.finish(batch_result(line_, error.status, server::to_json(error)), false, true);
  }
  // Requests for streams have been refused.
  void begin_stream() override {}
  void write(std::string) override {}
  void end() override {}

 private:
  Batch& batch_;
  BatchLine line_;
};

void Batch::finish(std::string_view result, bool good, bool was_submitted) {
  const Status status = output_.append(result);
  const std::lock_guard lock(mutex_);
  if (!status.ok() && failure_.ok()) failure_ = status;
  if (was_submitted) --num_running_;
  ++(good ? counts_.answered : counts_.failed);
  progress_(static_cast<double>(counts_.earlier + counts_.answered + counts_.failed) /
            static_cast<double>(counts_.total));
  changed_.notify_all();
}

void Batch::stop(Status status) {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = std::move(status);
  --num_running_;
  changed_.notify_all();
}

void Batch::start(BatchLine line) {
  server::CallContext context;
  context.request_id = fmt::format("batch-{}", line.number);
  context.default_seed = seed_of(line.custom_id);
  const server::OpenAiRoute route = line.route;
  const std::string body = std::move(line.body);
  openai_.handle(route, body, context, std::make_shared<Sink>(*this, std::move(line)));
}

Status Batch::run(std::string_view input) {
  std::set<std::string> seen;
  int64_t number = 0;
  while (!input.empty()) {
    const size_t end = std::min(input.find('\n'), input.size());
    const std::string_view text = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    ++number;
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    BatchLine line = parse_batch_line(text, number, seen);
    const bool earlier = output_.has(line);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return num_running_ < window_ || !failure_.ok(); });
      if (!failure_.ok()) break;
      if (earlier) ++counts_.earlier;
      if (!earlier && line.error_code.empty()) ++num_running_;
    }
    if (earlier) continue;
    if (line.error_code.empty()) {
      start(std::move(line));
    } else {
      finish(batch_error(line), false, false);
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return num_running_ == 0; });
  RETURN_IF_ERROR(failure_);
  return output_.sync();
}

int64_t count_lines(std::string_view text) {
  int64_t count = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (text.substr(0, end).find_first_not_of(" \t\r") != text.npos) ++count;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return count;
}

Status run(Options& options) {
  ASSIGN_OR_RETURN(const MappedFile input, MappedFile::open(options.input));
  ASSIGN_OR_RETURN(const auto output, BatchOutput::open(options.output));
  options.engine.llm.memory = service_memory(options.engine, options.memory, options.max_num_seqs);
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  llm::ServiceOptions service_options;
  service_options.scheduler.max_num_seqs = static_cast<int32_t>(options.max_num_seqs);
  service_options.scheduler.max_num_batched_tokens =
      static_cast<int32_t>(options.engine.llm.memory->max_num_batched_tokens);
  service_options.kv_cache_memory_bytes = options.memory.kv_cache_memory_bytes.value_or(0);
  service_options.scheduler.kv.num_blocks =
      static_cast<int32_t>(options.memory.num_kv_blocks.value_or(0));
  trace::NoTrace trace;
  ASSIGN_OR_RETURN(const auto service, llm::Service::create(*llm, service_options, trace));

  server::OpenAiOptions openai_options;
  openai_options.served_model_names = options.served_model_names;
  if (options.served_model_names.empty()) {
    openai_options.served_model_names = {options.engine.llm.model};
  }
  server::OpenAiService openai(*service, openai_options);
  const auto start = std::chrono::steady_clock::now();
  Batch batch(openai, *output, 2 * options.max_num_seqs, count_lines(input.text()));
  const Status status = batch.run(input.text());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Counts& counts = batch.counts();
  const double tokens = static_cast<double>(service->stats().num_generated_tokens);
  fmt::print(
      stderr,
      "{} requests: {} answered, {} with an error, {} done before; {:.1f} s, {:.0f} tokens/s\n",
      counts.total, counts.answered, counts.failed, counts.earlier, seconds,
      tokens / std::max(seconds, 1e-9));
  return status;
}

}  // namespace

int batch_command(Args args) {
  Options options;
  std::vector<std::string> positional;
  const auto code = parse_command_line("batch", "batch [MODEL] -i IN.jsonl -o OUT.jsonl [flags]",
                                       args, options.flags(), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  if (options.input.empty() || options.output.empty()) {
    return report("batch", invalid_argument("expected -i IN.jsonl and -o OUT.jsonl"), kUsage);
  }
  const Status status = run(options);
  return status.ok() ? kDone : report("batch", status);
}

}  // namespace orrery::cli
