#include "base/json.h"

#include <map>
#include <set>
#include <vector>

namespace orrery {
namespace {

// nlohmann takes a NUL byte for the end of the text and would ignore what follows.
Status check_no_nul(std::string_view text, std::string_view where) {
  const size_t nul = text.find('\0');
  if (nul == text.npos) return {};
  return malformed("{}: not valid JSON: NUL byte at {}", where, nul);
}

std::string too_deep(size_t max_depth) { return fmt::format("nesting deeper than {}", max_depth); }

// Refuses what nlohmann's parser would accept: deep nesting, whose destruction and traversal
// recurse, and duplicate keys.
class Limits {
 public:
  Limits(size_t max_depth, bool unique_keys) : max_depth_(max_depth), unique_keys_(unique_keys) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) &&
        static_cast<size_t>(depth) >= max_depth_) {
      throw std::length_error(too_deep(max_depth_));
    }
    if (unique_keys_) {
      check_key(event, parsed);
    }
    return true;
  }

 private:
  void check_key(Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      throw std::length_error(fmt::format("duplicate key \"{}\"", parsed.get<std::string>()));
    }
  }

  size_t max_depth_;
  bool unique_keys_;
  std::vector<std::set<std::string>> keys_;
};

// Builds an OrderedJson in time linear in the text, up to a logarithm. nlohmann's own builder looks
// each key up in a list, and copies all members of an object, however large, when the list grows.
class OrderedBuilder final : public nlohmann::json_sax<OrderedJson> {
 public:
  OrderedBuilder(size_t max_depth, size_t max_values)
      : max_depth_(max_depth), max_values_(max_values) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return fail("binary value"); }

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool key(string_t& name) override {
    Open& object = open_.back();
    object.next = object.find_or_add(std::move(name));
    return true;
  }
  bool end_object() override {
    OrderedJson::object_t members;
    members.reserve(open_.back().members.size());
    for (auto& [name, value] : open_.back().members) {
      members.emplace_back(std::move(name), std::move(value));
    }
    open_.pop_back();
    return put(OrderedJson(std::move(members)));
  }
  bool end_array() override {
    OrderedJson array(std::move(open_.back().elements));
    open_.pop_back();
    return put(std::move(array));
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return fail(error.what());
  }

  OrderedJson& root() { return root_; }
  const std::string& error() const { return error_; }

 private:
  // Below so many members a look at each is faster than an index.
  static constexpr size_t kIndexedFrom = 16;

  struct Open {
    bool is_object;
    OrderedJson::array_t elements = {};
    std::vector<std::pair<std::string, OrderedJson>> members = {};
    std::map<std::string, size_t> index = {};
    size_t next = 0;  // the member that the next value is for

    // A key that comes again gets the later value, as in Python.
    size_t find_or_add(std::string name) {
      if (members.size() < kIndexedFrom) {
        for (size_t i = 0; i < members.size(); ++i) {
          if (members[i].first == name) return i;
        }
      } else {
        if (index.empty()) {
          for (size_t i = 0; i < members.size(); ++i) index.emplace(members[i].first, i);
        }
        const auto [place, added] = index.emplace(name, members.size());
        if (!added) return place->second;
      }
      members.emplace_back(std::move(name), nullptr);
      return members.size() - 1;
    }
  };

  bool open(bool is_object) {
    if (open_.size() >= max_depth_) return fail(too_deep(max_depth_));
    if (!count()) return false;
    open_.push_back({is_object});
    return true;
  }
  bool count() {
    return ++num_values_ <= max_values_ || fail(fmt::format("more than {} values", max_values_));
  }
  bool add(OrderedJson value) { return count() && put(std::move(value)); }
  bool put(OrderedJson value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().members[open_.back().next].second = std::move(value);
    } else {
      open_.back().elements.push_back(std::move(value));
    }
    return true;
  }
  bool fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return false;
  }

  size_t max_depth_, max_values_;
  size_t num_values_ = 0;
  std::vector<Open> open_;
  OrderedJson root_;
  std::string error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where, size_t max_depth,
                        bool unique_keys) {
  RETURN_IF_ERROR(check_no_nul(text, where));
  Limits limits(max_depth, unique_keys);
  try {
    return Json::parse(text.begin(), text.end(),
                       [&limits](int depth, Json::parse_event_t event, Json& parsed) {
                         return limits(depth, event, parsed);
                       });
  } catch (const std::exception& error) {  // nlohmann's own errors, and those of Limits
    return malformed("{}: not valid JSON: {}", where, error.what());
  }
}

Result<OrderedJson> parse_ordered_json(std::string_view text, std::string_view where,
                                       size_t max_depth, size_t max_values) {
  RETURN_IF_ERROR(check_no_nul(text, where));
  OrderedBuilder builder(max_depth, max_values);
  try {
    if (OrderedJson::sax_parse(text.begin(), text.end(), &builder)) {
      return std::move(builder.root());
    }
  } catch (const std::exception& error) {
    return malformed("{}: not valid JSON: {}", where, error.what());
  }
  return malformed("{}: not valid JSON: {}", where, builder.error());
}

std::string dump_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_json(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace orrery
