#include "jinja/template.h"

#include "base/utf8.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"
#include "jinja/scope.h"

namespace orrery::jinja {

Trust Trust::chat() {
  return {
      {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"},
      {"system", "user", "assistant", "tool", "developer", "function", "ipython", "model",
       "observation", "environment"}};
}

std::vector<Segment> Rendered::segments() const {
  std::vector<Segment> out;
  const std::string_view view = text;
  size_t at = 0;
  for (const ByteRange& range : untrusted) {
    if (range.begin > at) {
      out.push_back({view.substr(at, range.begin - at), true});
    }
    out.push_back({view.substr(range.begin, range.end - range.begin), false});
    at = range.end;
  }
  if (at < view.size()) {
    out.push_back({view.substr(at), true});
  }
  return out;
}

Result<Template> Template::parse(std::string_view source, std::string_view name,
                                 const Limits& limits) {
  if (source.size() > limits.max_source_bytes) {
    return resource_exhausted("{}: a template of {} bytes, expected at most {}", name,
                              source.size(), limits.max_source_bytes);
  }
  if (!is_valid_utf8(source)) {
    return malformed("{}: the template is not valid UTF-8", name);
  }
  auto program = std::make_shared<Program>();
  program->name = name;
  if (Status status = Parser(source, *program, limits.max_depth).parse(); !status.ok()) {
    return status.with_context(name);
  }
  if (Status status = ScopeAnalyzer(*program, limits.max_steps).run(); !status.ok()) {
    return status.with_context(name);
  }
  return Template(std::move(program));
}

Result<Rendered> Template::render(const OrderedJson& context, const RenderOptions& options) const {
  return Interpreter(*program_, options).render(context);
}

const std::string& Template::name() const { return program_->name; }

}  // namespace orrery::jinja
