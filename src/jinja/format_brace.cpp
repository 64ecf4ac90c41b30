// "...".format(...), as Jinja's sandbox does it: fields may go into attributes and items, by the
// sandbox's rules.
#include <charconv>

#include "jinja/ops.h"
#include "jinja/text_ops.h"

namespace orrery::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Interpreter& vm, const Args& args) : vm_(vm), args_(args) {}

  // `depth`: a field's specification may hold fields, whose specifications may not.
  bool run(const Text& format, int depth, Text& out) {
    const std::string_view text = format.view();
    for (size_t at = 0; at < text.size();) {
      const size_t brace = std::min(text.find_first_of("{}", at), text.size());
      if (!vm_.charge_bytes(brace - at)) {
        return false;
      }
      out.append(format, at, brace);
      if (brace == text.size()) {
        break;
      }
      if (brace + 1 < text.size() && text[brace + 1] == text[brace]) {
        out.append(format, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      if (text[brace] == '}') {
        vm_.error("single '}}' encountered in format string");
        return false;
      }
      const size_t end = field_end(text, brace + 1);
      if (end == std::string_view::npos || depth == 0) {
        vm_.error("{}", depth == 0 ? "max string recursion exceeded"
                                   : "expected '}' before end of string");
        return false;
      }
      if (!field(format.slice(brace + 1, end), depth, out)) {
        return false;
      }
      at = end + 1;
    }
    return !vm_.failed();
  }

 private:
  static size_t field_end(std::string_view text, size_t at) {
    int nested = 1;
    bool in_index = false;
    for (; at < text.size(); ++at) {
      if (in_index) {
        in_index = text[at] != ']';
      } else if (text[at] == '[' && nested == 1) {
        in_index = true;
      } else if (text[at] == '{') {
        ++nested;
      } else if (text[at] == '}' && --nested == 0) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  bool field(const Text& field, int depth, Text& out) {
    const std::string_view text = field.view();
    if (!vm_.charge(4 + text.size() / 4)) {
      return false;
    }
    // name, !conversion, :specification
    size_t name_end = 0;
    bool in_index = false;
    while (name_end < text.size() &&
           (in_index || (text[name_end] != '!' && text[name_end] != ':'))) {
      in_index = text[name_end] == '[' || (in_index && text[name_end] != ']');
      ++name_end;
    }
    size_t at = name_end;
    char conversion = 0;
    if (at < text.size() && text[at] == '!') {
      conversion = at + 1 < text.size() ? text[at + 1] : '\0';
      at += 2;
      const bool valid = conversion == 's' || conversion == 'r' || conversion == 'a';
      if (!valid || (at < text.size() && text[at] != ':')) {
        vm_.error("bad conversion in format string");
        return false;
      }
    }
    Value value = lookup(text.substr(0, name_end));
    Text spec;
    if (vm_.failed() ||
        (at < text.size() && !run(field.slice(at + 1, text.size()), depth - 1, spec))) {
      return false;
    }
    if (conversion != 0) {
      Text converted;
      if (conversion == 's') {
        append_str(vm_, value, converted);
      } else {
        append_repr(vm_, value, converted);
      }
      value = vm_.text(std::move(converted));
    }
    return !vm_.failed() && format_value(vm_, value, spec.view(), out);
  }

  Value argument(std::string_view name) {
    int64_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = error == std::errc() && end == name.data() + name.size() && index >= 0;
    if (name.empty() || is_index) {
      const Numbering wanted = name.empty() ? Numbering::kAutomatic : Numbering::kManual;
      if (numbering_ != Numbering::kNone && numbering_ != wanted) {
        return vm_.error("cannot mix automatic and manual field numbering");
      }
      numbering_ = wanted;
      const size_t i = name.empty() ? next_++ : static_cast<size_t>(index);
      return i < args_.positional.size()
                 ? args_.positional[i]
                 : vm_.error("replacement index {} out of range for positional args", i);
    }
    for (const auto& [key, value] : args_.keywords) {
      if (key.is_string() && key.view() == name) {
        return value;
      }
    }
    return vm_.error("format: no argument '{}'", name);
  }

  Value lookup(std::string_view name) {
    size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, at));
    while (at < name.size() && !vm_.failed()) {
      if (name[at] == '.') {
        const size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
        if (end == at + 1) {
          return vm_.error("empty attribute in format string");
        }
        value = get_attribute(vm_, value, name.substr(at + 1, end - at - 1));
        at = end;
        continue;
      }
      const size_t end = name.find(']', at);
      if (name[at] != '[' || end == std::string_view::npos || end == at + 1) {
        return vm_.error("bad index in format string");
      }
      const std::string_view key = name.substr(at + 1, end - at - 1);
      int64_t index = 0;
      const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      const bool is_index = error == std::errc() && stop == key.data() + key.size() && index >= 0;
      value = get_item(vm_, value, is_index ? Value::integer(index) : vm_.string(key));
      at = end + 1;
    }
    return value;
  }

  enum class Numbering : uint8_t { kNone, kAutomatic, kManual };
  Interpreter& vm_;
  const Args& args_;
  Numbering numbering_ = Numbering::kNone;
  size_t next_ = 0;
};

}  // namespace

Value brace_format(Interpreter& vm, const StringObject& format, const Args& args) {
  Text out;
  if (!BraceFormatter(vm, args).run(format.text, 2, out)) {
    return {};
  }
  return vm.text(std::move(out), format.markup);
}

}  // namespace orrery::jinja
