// Jinja, as chat templates use it: what Hugging Face's environment (jinja2's immutable sandbox with
// trim_blocks, lstrip_blocks, loop controls, tojson, raise_exception, strftime_now) renders is
// rendered to the same bytes, and what it refuses is refused. A template cannot reach a file, the
// network or another template.
//
// Differences by intent: integers are of 64 bits, larger ones are errors; import, include, extends
// and block are refused; random values, and methods outside of text and containers, do not exist.
//
// User text stays user text. Each byte of the output is marked as the template's own (trusted) or
// as taken from the context (untrusted), so that a tokenizer can recognise special tokens only in
// the former; the marks survive every string operation. See RenderOptions::trust for the
// exceptions.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "jinja/text.h"

namespace orrery {
using OrderedJson =
    nlohmann::ordered_json;  // as base/json.h says; its definition is not needed here
}

namespace orrery::jinja {

struct Program;

// What a template may cost. With the defaults the worst one ends within 100 ms; an ordinary
// rendering takes a few thousand steps.
struct Limits {
  // About one per node evaluated, element produced, or 32 bytes written.
  int64_t max_steps = 1'000'000;
  size_t max_output_bytes = 16 << 20;
  // Nesting of the source, of calls, and of values (the context included). The stack is bounded
  // besides: parsing and rendering run on a thread of 256 KiB.
  int max_depth = 100;
  size_t max_source_bytes = 256 << 10;
};

// What in the context is the operator's and not the user's.
struct Trust {
  std::vector<std::string> variables;  // top-level names whose strings are trusted
  // Values of a "role" key that are trusted, anywhere: templates build tokens such as <|user|> from
  // them.
  std::vector<std::string> roles;

  // The special tokens of the tokenizer's configuration, and the customary roles.
  static Trust chat();
};

struct RenderOptions {
  Limits limits;
  Trust trust = Trust::chat();
  std::optional<int64_t> now_unix_seconds;  // for strftime_now; the system's clock if absent
  int utc_offset_seconds = 0;
};

struct Segment {
  std::string_view text;
  bool trusted;
};

struct Rendered {
  std::string text;
  std::vector<ByteRange> untrusted;  // sorted, disjoint

  // The text in pieces, alternately trusted and not; they view this object.
  std::vector<Segment> segments() const;
};

// Immutable; may be rendered by several threads at once; cheap to copy.
class Template {
 public:
  // `name` stands in messages. Errors: kMalformed (syntax, with the line), kUnsupported,
  // kResourceExhausted.
  static Result<Template> parse(std::string_view source, std::string_view name,
                                const Limits& limits = {});

  // `context` is an object; its keys are the template's variables. Errors: kInvalidArgument for
  // what the template refuses (raise_exception, a type error; with the line), kResourceExhausted.
  Result<Rendered> render(const OrderedJson& context, const RenderOptions& options = {}) const;

  const std::string& name() const;

 private:
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace orrery::jinja
