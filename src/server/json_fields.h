// JsonFields: the fields of a JSON object that came from a client, by name, type and range.
//
// The first fault is kept and all later reads do nothing, so that a parser reads like a list of its
// fields. A field that is absent or null leaves its target as it is: clients send null for "not
// set". What the client sent is quoted in messages only where it is short.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/openai_error.h"

namespace orrery::server {

// At most 40 bytes of the value, for messages.
std::string quoted(const OrderedJson& value);

class JsonFields {
 public:
  // Borrows `object`, which must be an object. `path` ("messages[2].") stands before names in
  // messages.
  explicit JsonFields(const OrderedJson& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  bool ok() const { return !error_; }
  const ApiError& error() const { return *error_; }
  void fail(std::string_view name, std::string_view what);
  void fail(ApiError error);
  void fail_expected(std::string_view name, std::string_view expected, const OrderedJson& got);

  // nullptr if absent or null, or after a fault.
  const OrderedJson* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // As find(), and a fault if the type differs.
  const OrderedJson* find_array(std::string_view name);
  const OrderedJson* find_object(std::string_view name);

  void read(std::string_view name, bool& out);
  void read(std::string_view name, double& out);
  void read(std::string_view name, std::string& out, size_t max_bytes);
  // Whole numbers, also written as 3.0.
  template <typename Int>
  void read(std::string_view name, Int& out, int64_t low, int64_t high) {
    if (const auto value = integer(name, low, high)) out = static_cast<Int>(*value);
  }
  template <typename Int>
  void read(std::string_view name, std::optional<Int>& out, int64_t low, int64_t high) {
    if (const auto value = integer(name, low, high)) out = static_cast<Int>(*value);
  }
  // Token ids from 0 to vocab_size − 1.
  void read_ids(std::string_view name, std::vector<int32_t>& out, int64_t vocab_size);
  // A list of at most `max_count` texts of 1 to `max_bytes` bytes; also a lone one.
  void read_texts(std::string_view name, std::vector<std::string>& out, size_t max_count,
                  size_t max_bytes);

 private:
  std::optional<int64_t> integer(std::string_view name, int64_t low, int64_t high);

  const OrderedJson& object_;
  std::string path_;
  std::optional<ApiError> error_;
};

// The integer that a JSON number is, if it is one and fits.
std::optional<int64_t> as_integer(const OrderedJson& value);
// Appends token ids; false at the first element that is not an id of the vocabulary, which `bad`
// then points to.
bool append_ids(const OrderedJson& array, int64_t vocab_size, std::vector<int32_t>& out,
                const OrderedJson*& bad);

}  // namespace orrery::server
