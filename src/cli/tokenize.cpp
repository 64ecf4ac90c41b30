// orrery tokenize: text on standard input → one JSON array of ids; --decode the other way.
#include <cstdio>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "llm/model_files.h"

namespace orrery::cli {
namespace {

struct TokenizeOptions {
  std::string model = "demo", pattern;
  bool decode = false, pieces = false, no_add_special = false;
};

// [1, 2, 3], or ids separated by spaces, commas or newlines.
Result<std::vector<int32_t>> parse_ids(const std::string& text) {
  std::string list = text;
  for (char& c : list) {
    if (c == '[' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r') c = ',';
  }
  std::vector<int32_t> ids;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string word = list.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    int64_t id = 0;
    RETURN_IF_ERROR(set_int(id, 0, INT32_MAX)(word).with_context("standard input: token ids"));
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

Status tokenize(const TokenizeOptions& options) {
  ASSIGN_OR_RETURN(const auto tokenizer, llm::load_tokenizer(options.model, options.pattern));
  ASSIGN_OR_RETURN(const std::string text, read_stdin());
  if (options.decode) {
    ASSIGN_OR_RETURN(const auto ids, parse_ids(text));
    ASSIGN_OR_RETURN(const std::string decoded, tokenizer->decode(ids, false));
    std::fwrite(decoded.data(), 1, decoded.size(), stdout);
    return {};
  }
  ASSIGN_OR_RETURN(const auto ids,
                   tokenizer->encode(text, {.add_special_tokens = !options.no_add_special,
                                            .parse_special_tokens = true}));
  if (!options.pieces) {
    fmt::print("{}\n", dump_json(Json(ids)));
    return {};
  }
  for (const int32_t id : ids) {
    fmt::print("{:>7}  {:<24} {}\n", id, escaped(tokenizer->token_bytes(id)),
               tokenizer->is_special(id) ? "special" : "");
  }
  return {};
}

}  // namespace

int tokenize_command(Args args) {
  TokenizeOptions options;
  std::vector<Flag> flags = {
      {"--decode", 0, "", "ids on standard input → text", set_switch(options.decode)},
      {"--pieces", 0, "", "one line per token: id and text", set_switch(options.pieces)},
      {"--no-add-special", 0, "", "without the tokens that begin and end a text",
       set_switch(options.no_add_special)},
      {"--pattern", 0, "NAME", "how tiktoken ranks split text: gpt2, cl100k, o200k, llama3, ...",
       set_text(options.pattern)},
  };
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("tokenize", "tokenize [MODEL | TOKENIZER-FILE] [flags] < text", args,
                         std::move(flags), 1, positional);
  if (code) return *code;
  if (!positional.empty()) options.model = positional[0];
  const Status status = tokenize(options);
  return status.ok() ? kDone : report("tokenize", status);
}

}  // namespace orrery::cli
