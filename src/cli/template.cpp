// orrery template: renders a chat template; the keys of the context are its variables.
#include "jinja/template.h"

#include <cstdio>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "llm/model_files.h"

namespace orrery::cli {
namespace {

struct TemplateOptions {
  std::string source, context;
  std::optional<int64_t> now;
};

// A file that is not a checkpoint is the template itself.
Result<std::string> template_text(const std::string& source) {
  if (source.ends_with(".jinja") || source.ends_with(".j2") || source.ends_with(".txt"))
    return read_file(source);
  ASSIGN_OR_RETURN(const auto checkpoint, llm::open_model(source));
  ASSIGN_OR_RETURN(std::string text, llm::chat_template_source(checkpoint));
  if (text.empty()) return not_found("{}: expected a chat template, found none", source);
  return text;
}

Status render(const TemplateOptions& options) {
  ASSIGN_OR_RETURN(const std::string source, template_text(options.source));
  ASSIGN_OR_RETURN(const std::string context_text,
                   options.context == "-" ? read_stdin() : read_file(options.context));
  ASSIGN_OR_RETURN(const OrderedJson context, parse_ordered_json(context_text, options.context));
  ASSIGN_OR_RETURN(const auto parsed, jinja::Template::parse(source, options.source));
  jinja::RenderOptions render_options;
  render_options.now_unix_seconds = options.now;
  ASSIGN_OR_RETURN(const auto rendered, parsed.render(context, render_options));
  std::fwrite(rendered.text.data(), 1, rendered.text.size(), stdout);
  return {};
}

}  // namespace

int template_command(Args args) {
  TemplateOptions options;
  std::vector<Flag> flags = {
      {"--context", 0, "FILE", "JSON object of the template's variables; - for standard input",
       set_text(options.context)},
      {"--now", 0, "SECONDS", "the time that strftime_now sees, since 1970 (default: now)",
       set_optional_int(options.now, -(int64_t{1} << 40), int64_t{1} << 40)},
  };
  std::vector<std::string> positional;
  const auto code =
      parse_command_line("template", "template FILE.jinja|MODEL --context C.json [--now SECONDS]",
                         args, std::move(flags), 1, positional);
  if (code) return *code;
  if (positional.empty() || options.context.empty()) {
    return report("template", invalid_argument("expected a template and --context FILE"), kUsage);
  }
  options.source = positional[0];
  const Status status = render(options);
  return status.ok() ? kDone : report("template", status);
}

}  // namespace orrery::cli
