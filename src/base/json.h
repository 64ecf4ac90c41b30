// JSON as nlohmann::json, parsed with the limits that hostile input needs. Never throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace orrery {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

inline constexpr size_t kMaxJsonDepth = 256;

// Errors: kMalformed with the byte offset, also for nesting deeper than `max_depth`, duplicate keys
// when `unique_keys`, and invalid UTF-8. `where` names the file or field in messages.
Result<Json> parse_json(std::string_view text, std::string_view where,
                        size_t max_depth = kMaxJsonDepth, bool unique_keys = false);
// The same, objects keeping the order of their keys; of a key that comes twice, the later value.
// Also kMalformed for more than `max_values` values in all: a value takes at most 100 bytes beside
// its text. Linear in the text, up to a logarithm in the keys of one object; but looking up one
// key of an OrderedJson takes time linear in its keys.
Result<OrderedJson> parse_ordered_json(std::string_view text, std::string_view where,
                                       size_t max_depth = kMaxJsonDepth,
                                       size_t max_values = SIZE_MAX);

// One line of JSON; invalid UTF-8 becomes U+FFFD, NaN and infinity become null.
std::string dump_json(const Json& json);
std::string dump_json(const OrderedJson& json);

}  // namespace orrery
