// Source and context, separated by a NUL byte, parsed and rendered within small limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orrery;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string_view source = input.substr(0, end);
  static const OrderedJson kDefault = OrderedJson::parse(
      R"({"s": "Qé <|x|>", "n": 3, "f": 2.5, "l": [3, 1, "a", null], "d": {"k": [1], "b": {"c": "z"}},
          "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null}]})");
  OrderedJson own;
  const OrderedJson* context = &kDefault;
  if (end != std::string_view::npos) {
    Result<OrderedJson> parsed = parse_ordered_json(input.substr(end + 1), "context");
    if (parsed.ok() && parsed->is_object()) {
      own = std::move(parsed).value();
      context = &own;
    }
  }
  jinja::RenderOptions options;
  options.limits.max_steps = 5'000;
  options.now_unix_seconds = 1721995200;
  const Result<jinja::Template> parsed = jinja::Template::parse(source, "fuzz", options.limits);
  if (!parsed.ok()) {
    return 0;
  }
  const Result<jinja::Rendered> rendered = parsed->render(*context, options);
  if (rendered.ok()) {
    // The segments are the text, in order.
    size_t total = 0;
    for (const jinja::Segment& segment : rendered->segments()) {
      total += segment.text.size();
    }
    if (total != rendered->text.size()) {
      __builtin_trap();
    }
  }
  return 0;
}
