// orrery chat: a conversation in the terminal, streamed, with its history.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace orrery::cli {
namespace {

std::atomic<bool> interrupted{false};

// Prints the answer; Ctrl-C ends the answer, not the program.
class AnswerPrinter final : public llm::GenerationObserver {
 public:
  void on_text(std::string_view released, std::string_view) override {
    std::fwrite(released.data(), 1, released.size(), stdout);
    std::fflush(stdout);
  }
  bool aborted() const override { return interrupted; }
};

constexpr std::string_view kHelp =
    "/help            this text\n"
    "/system TEXT     set the system message and begin anew\n"
    "/clear           forget the conversation\n"
    "/undo            forget the last exchange\n"
    "/history         show the conversation\n"
    "/quit            leave (also Ctrl-D)\n";

class Conversation {
 public:
  void set_system(std::string_view text) {
    system_ = text;
    clear();
  }
  void clear() {
    messages_ = OrderedJson::array();
    if (!system_.empty()) add("system", system_);
  }
  void add(std::string_view role, std::string_view content) {
    messages_.push_back({{"role", role}, {"content", content}});
  }
  void undo() {
    while (!messages_.empty() && messages_.back()["role"] != "user") {
      if (messages_.back()["role"] == "system") return;
      messages_.erase(messages_.size() - 1);
    }
    if (!messages_.empty()) messages_.erase(messages_.size() - 1);
  }
  const OrderedJson& messages() const { return messages_; }

 private:
  std::string system_;
  OrderedJson messages_ = OrderedJson::array();
};

// Returns false to leave.
bool slash_command(const std::string& line, Conversation& conversation) {
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  if (word == "/quit" || word == "/exit" || word == "/bye") return false;
  if (word == "/clear") {
    conversation.clear();
  } else if (word == "/undo") {
    conversation.undo();
  } else if (word == "/system") {
    conversation.set_system(space == std::string::npos ? ""
                                                       : std::string_view(line).substr(space + 1));
  } else if (word == "/history") {
    for (const auto& message : conversation.messages()) {
      fmt::print("{}: {}\n", message["role"].get<std::string>(),
                 message["content"].get<std::string>());
    }
  } else {
    if (word != "/help") fmt::print("unknown command {}\n", word);
    fmt::print("{}", kHelp);
  }
  return true;
}

Status answer(llm::Llm& llm, Conversation& conversation, const llm::GenerationParams& params) {
  ASSIGN_OR_RETURN(std::vector<int32_t> ids, llm.tokenize_chat(conversation.messages()));
  interrupted = false;
  AnswerPrinter printer;
  ASSIGN_OR_RETURN(const llm::Generation generation, llm.generate(std::move(ids), params, printer));
  fmt::print("{}\n", generation.finish_reason == llm::FinishReason::kAbort ? " [stopped]" : "");
  conversation.add("assistant", generation.text);
  return {};
}

int converse(llm::Llm& llm, llm::GenerationParams params, const std::string& system) {
  const Style style = Style::for_stdout();
  Conversation conversation;
  conversation.set_system(system);
  if (stdout_is_terminal())
    fmt::print("{}/help for commands, Ctrl-C stops an answer, Ctrl-D leaves{}\n", style.dim,
               style.reset);
  std::signal(SIGINT, [](int) { interrupted = true; });
  int64_t turn = 0;
  for (std::string line;;) {
    if (stdout_is_terminal()) fmt::print("{}> {}", style.accent, style.reset);
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    if (line[0] == '/') {
      if (!slash_command(line, conversation)) break;
      continue;
    }
    conversation.add("user", line);
    const Status status = answer(llm, conversation, params);
    if (!status.ok()) {
      report("chat", status);
      conversation.undo();
    }
    // Another draw for the next turn, still repeatable from --seed.
    params.sampling.seed = params.sampling.seed.value_or(0) + ++turn;
  }
  return kDone;
}

struct ChatOptions {
  EngineOptions engine;
  SamplingOptions sampling;
  std::string system;

  std::vector<Flag> flags() {
    return join({{"--system", 0, "TEXT", "the system message", set_text(system)}},
                join(sampling.flags(), engine.flags()));
  }
};

}  // namespace

int chat_command(Args args) {
  ChatOptions options;
  llm::GenerationParams& params = options.sampling.params;
  params.max_tokens = 512;
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("chat", "chat [MODEL] [flags]", args, options.flags(), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  auto llm = load_llm(options.engine);
  if (!llm.ok()) return report("chat", llm.status());
  if ((*llm)->chat_template() == nullptr) {
    return report("chat", invalid_argument("{}: expected a chat template, found none; give one "
                                           "with --chat-template",
                                           options.engine.llm.model));
  }
  // The model's recommendations hold where no flag says otherwise: the flags are read once more.
  params.sampling = (*llm)->sampling_defaults();
  params.stop.clear();
  const Status status = parse_flags(args, options.flags(), positional);
  CHECK(status.ok()) << status.message();
  return converse(**llm, params, options.system);
}

}  // namespace orrery::cli
