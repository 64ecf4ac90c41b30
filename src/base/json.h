// JSON as nlohmann::json, parsed with the limits that hostile input needs. Never throws.
#pragma once

#include <cstddef>
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
// The same, objects keeping the order of their keys.
Result<OrderedJson> parse_ordered_json(std::string_view text, std::string_view where,
                                       size_t max_depth = kMaxJsonDepth);

// One line of JSON; invalid UTF-8 becomes U+FFFD, NaN and infinity become null.
std::string dump_json(const Json& json);
std::string dump_json(const OrderedJson& json);

}  // namespace orrery
