#include "server/json_fields.h"

#include <cmath>

#include "base/utf8.h"

namespace orrery::server {

std::string quoted(const OrderedJson& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return "an object";
  if (!value.is_string()) return dump_json(value);
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() <= 40) return dump_json(value);
  std::string_view begin = std::string_view(text).substr(0, 40);
  begin.remove_suffix(incomplete_utf8_suffix(begin));
  return dump_json(OrderedJson(std::string(begin) + "…"));
}

void JsonFields::fail(std::string_view name, std::string_view what) {
  fail(bad_parameter(path_ + std::string(name), what));
}

void JsonFields::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

void JsonFields::fail_expected(std::string_view name, std::string_view expected,
                               const OrderedJson& got) {
  fail(name, fmt::format("expected {}, got {}", expected, quoted(got)));
}

const OrderedJson* JsonFields::find(std::string_view name) const {
  if (error_) return nullptr;
  for (auto field = object_.begin(); field != object_.end(); ++field) {
    if (field.key() == name) return field->is_null() ? nullptr : &*field;
  }
  return nullptr;
}

const OrderedJson* JsonFields::find_array(std::string_view name) {
  const OrderedJson* value = find(name);
  if (value == nullptr || value->is_array()) return value;
  fail_expected(name, "an array", *value);
  return nullptr;
}

const OrderedJson* JsonFields::find_object(std::string_view name) {
  const OrderedJson* value = find(name);
  if (value == nullptr || value->is_object()) return value;
  fail_expected(name, "an object", *value);
  return nullptr;
}

void JsonFields::read(std::string_view name, bool& out) {
  const OrderedJson* value = find(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return fail_expected(name, "true or false", *value);
  out = value->get<bool>();
}

void JsonFields::read(std::string_view name, double& out) {
  const OrderedJson* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number()) return fail_expected(name, "a number", *value);
  out = value->get<double>();
}

void JsonFields::read(std::string_view name, std::string& out, size_t max_bytes) {
  const OrderedJson* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return fail_expected(name, "a string", *value);
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    return fail(name, fmt::format("expected at most {} bytes, got {}", max_bytes, text.size()));
  }
  out = text;
}

std::optional<int64_t> as_integer(const OrderedJson& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  // Beyond 2^53 a double no longer says which integer was meant.
  if (!(std::abs(number) <= 9007199254740992.0) || number != std::floor(number)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(number);
}

std::optional<int64_t> JsonFields::integer(std::string_view name, int64_t low, int64_t high) {
  const OrderedJson* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> number = as_integer(*value);
  if (!number || *number < low || *number > high) {
    fail_expected(name, fmt::format("an integer from {} to {}", low, high), *value);
    return std::nullopt;
  }
  return number;
}

bool append_ids(const OrderedJson& array, int64_t vocab_size, std::vector<int32_t>& out,
                const OrderedJson*& bad) {
  out.reserve(out.size() + array.size());
  for (const OrderedJson& value : array) {
    const std::optional<int64_t> id = as_integer(value);
    if (!id || *id < 0 || *id >= vocab_size) {
      bad = &value;
      return false;
    }
    out.push_back(static_cast<int32_t>(*id));
  }
  return true;
}

void JsonFields::read_ids(std::string_view name, std::vector<int32_t>& out, int64_t vocab_size) {
  const OrderedJson* value = find_array(name);
  const OrderedJson* bad = nullptr;
  if (value == nullptr || append_ids(*value, vocab_size, out, bad)) return;
  fail_expected(name, fmt::format("token ids from 0 to {}", vocab_size - 1), *bad);
}

void JsonFields::read_texts(std::string_view name, std::vector<std::string>& out, size_t max_count,
                            size_t max_bytes) {
  const OrderedJson* value = find(name);
  if (value == nullptr) return;
  if (!value->is_array() && !value->is_string()) {
    return fail_expected(name, "a string or an array of strings", *value);
  }
  const size_t count = value->is_array() ? value->size() : 1;
  if (count > max_count) {
    return fail(name, fmt::format("expected at most {} strings, got {}", max_count, count));
  }
  for (size_t i = 0; i < count; ++i) {
    const OrderedJson& each = value->is_array() ? (*value)[i] : *value;
    if (!each.is_string()) return fail_expected(name, "strings", each);
    const auto& text = each.get_ref<const std::string&>();
    if (text.empty() || text.size() > max_bytes) {
      return fail(name, fmt::format("expected strings of 1 to {} bytes, got one of {}", max_bytes,
                                    text.size()));
    }
    out.push_back(text);
  }
}

}  // namespace orrery::server
