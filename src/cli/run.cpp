// orrery run: one prompt in, the answer out; as text, as one JSON object, or stage by stage.
#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/stages.h"
#include "cli/terminal.h"

namespace orrery::cli {
namespace {

constexpr std::string_view kUsage_ = "run [MODEL] [-p PROMPT | < stdin] [flags]";

OrderedJson logprob_json(const sampler::TokenLogprob& token) {
  return {{"id", token.id}, {"logprob", token.logprob}, {"rank", token.rank}};
}

OrderedJson position_json(const sampler::TokenLogprob& chosen,
                          const std::vector<sampler::TokenLogprob>& top) {
  OrderedJson json = logprob_json(chosen);
  json["top"] = OrderedJson::array();
  for (const auto& token : top) json["top"].push_back(logprob_json(token));
  return json;
}

OrderedJson generation_json(const llm::Generation& generation,
                            const sampler::SamplingParams& params) {
  OrderedJson json;
  json["prompt_token_ids"] = generation.prompt_token_ids;
  json["token_ids"] = generation.token_ids;
  json["text"] = generation.text;
  json["finish_reason"] = llm::name_of(generation.finish_reason);
  if (params.logprobs) {
    json["logprobs"] = OrderedJson::array();
    for (const sampler::SampledToken& token : generation.tokens) {
      json["logprobs"].push_back(
          position_json({token.id, token.logprob, token.rank}, token.top_logprobs));
    }
  }
  if (params.prompt_logprobs) {
    json["prompt_logprobs"] =
        OrderedJson::array({nullptr});  // the first token has nothing before it
    for (const llm::PromptLogprob& position : generation.prompt_logprobs) {
      json["prompt_logprobs"].push_back(position_json(position.token, position.top_logprobs));
    }
  }
  return json;
}

// Prints text as it becomes certain.
class TextPrinter final : public llm::GenerationObserver {
 public:
  void on_text(std::string_view released, std::string_view) override {
    std::fwrite(released.data(), 1, released.size(), stdout);
    std::fflush(stdout);
  }
};

struct RunOptions {
  EngineOptions engine;
  SamplingOptions sampling;
  std::optional<std::string> prompt;
  std::string record;
  bool chat = false, json = false, stages = false;

  std::vector<Flag> flags() {
    std::vector<Flag> own = {
        {"--prompt", 'p', "PROMPT", "the prompt (default: standard input)",
         [this](std::string_view value) {
           prompt = value;
           return Status();
         }},
        {"--chat", 0, "", "the prompt is a message to a chat model", set_switch(chat)},
        {"--json", 0, "", "print one JSON object with ids and log-probabilities", set_switch(json)},
        {"--record", 0, "FILE", "write what the engine does into a file, for orrery replay",
         set_text(record)},
        {"--stages", 0, "", "print tokenizer, prefill, each draw and the text as they happen",
         set_switch(stages)},
    };
    return join(join(std::move(own), sampling.flags()), engine.flags());
  }
};

Result<std::vector<int32_t>> prompt_ids(const llm::Llm& llm, const std::string& prompt, bool chat) {
  if (!chat) return llm.tokenize(prompt);
  return llm.tokenize_chat(OrderedJson::array({{{"role", "user"}, {"content", prompt}}}));
}

Status generate_and_print(llm::Llm& llm, const RunOptions& options, std::vector<int32_t> ids) {
  const llm::GenerationParams& params = options.sampling.params;
  if (options.stages) {
    StagePrinter printer(llm);
    printer.print_prompt(ids);
    ASSIGN_OR_RETURN(const llm::Generation generation,
                     llm.generate(std::move(ids), params, printer, options.record));
    printer.print_end(generation);
    return {};
  }
  llm::GenerationObserver silent;
  TextPrinter text;
  llm::GenerationObserver& observer = options.json ? silent : text;
  ASSIGN_OR_RETURN(const llm::Generation generation,
                   llm.generate(std::move(ids), params, observer, options.record));
  if (options.json) {
    fmt::print("{}\n", dump_json(generation_json(generation, params.sampling)));
  } else {
    fmt::print("\n");
  }
  return {};
}

Status run(RunOptions& options) {
  if (!options.prompt) {
    ASSIGN_OR_RETURN(options.prompt, read_stdin());
    // The newline that ends a line typed or echoed is not part of the prompt.
    if (options.prompt->ends_with('\n')) options.prompt->pop_back();
  }
  ASSIGN_OR_RETURN(const auto llm, load_llm(options.engine));
  ASSIGN_OR_RETURN(std::vector<int32_t> ids, prompt_ids(*llm, *options.prompt, options.chat));
  return generate_and_print(*llm, options, std::move(ids));
}

}  // namespace

int run_command(Args args) {
  RunOptions options;
  options.sampling.params.sampling.temperature =
      0;  // the same answer each time, unless asked otherwise
  std::vector<std::string> positional;
  if (const auto code = parse_command_line("run", kUsage_, args, options.flags(), 1, positional))
    return *code;
  if (!positional.empty()) options.engine.llm.model = positional[0];
  if (options.json && options.stages) {
    return report("run", invalid_argument("expected --json or --stages, got both"), kUsage);
  }
  const Status status = run(options);
  return status.ok() ? kDone : report("run", status);
}

}  // namespace orrery::cli
