#include "base/json.h"

#include <set>
#include <vector>

namespace orrery {
namespace {

// Refuses what nlohmann's parser would accept: deep nesting, whose destruction and traversal
// recurse, and duplicate keys.
template <typename J>
class Limits {
 public:
  Limits(size_t max_depth, bool unique_keys) : max_depth_(max_depth), unique_keys_(unique_keys) {}

  bool operator()(int depth, typename J::parse_event_t event, J& parsed) {
    using Event = typename J::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) &&
        static_cast<size_t>(depth) >= max_depth_) {
      throw std::length_error(fmt::format("nesting deeper than {}", max_depth_));
    }
    if (unique_keys_) {
      check_key(event, parsed);
    }
    return true;
  }

 private:
  void check_key(typename J::parse_event_t event, const J& parsed) {
    using Event = typename J::parse_event_t;
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key &&
               !keys_.back().insert(parsed.template get<std::string>()).second) {
      throw std::length_error(
          fmt::format("duplicate key \"{}\"", parsed.template get<std::string>()));
    }
  }

  size_t max_depth_;
  bool unique_keys_;
  std::vector<std::set<std::string>> keys_;
};

template <typename J>
Result<J> parse(std::string_view text, std::string_view where, size_t max_depth, bool unique_keys) {
  // nlohmann takes a NUL byte for the end of the text and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    return malformed("{}: not valid JSON: NUL byte at {}", where, nul);
  }
  Limits<J> limits(max_depth, unique_keys);
  try {
    return J::parse(text.begin(), text.end(),
                    [&limits](int depth, typename J::parse_event_t event, J& parsed) {
                      return limits(depth, event, parsed);
                    });
  } catch (const std::exception& error) {  // nlohmann's own errors, and those of Limits
    return malformed("{}: not valid JSON: {}", where, error.what());
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where, size_t max_depth,
                        bool unique_keys) {
  return parse<Json>(text, where, max_depth, unique_keys);
}

Result<OrderedJson> parse_ordered_json(std::string_view text, std::string_view where,
                                       size_t max_depth) {
  return parse<OrderedJson>(text, where, max_depth, false);
}

std::string dump_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_json(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace orrery
