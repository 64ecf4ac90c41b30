// The merges of a BPE model in tokenizer.json: "left right", or ["left", "right"] where tokens have
// spaces in them.
#include <array>

#include "base/json.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

// Empty strings if `entry` is of another kind, or has no space: they make no token either.
MergeReader::Pair merge_pair(JsonElement entry) {
  std::string_view text, left, right;
  if (entry.get_string().get(text) == simdjson::SUCCESS) {
    const size_t space = text.find(' ');
    if (space == text.npos) return {};
    return {text.substr(0, space), text.substr(space + 1)};
  }
  if (entry.at(0).get_string().get(left) != simdjson::SUCCESS ||
      entry.at(1).get_string().get(right) != simdjson::SUCCESS) {
    return {};
  }
  return {left, right};
}

// Where a token has spaces in it, the space that separates is the one that leaves tokens.
void find_other_space(JsonElement entry, MergeReader& reader, MergeTable::Entry& found) {
  std::string_view text;
  if (entry.get_string().get(text) != simdjson::SUCCESS) return;
  for (size_t space = text.find(' '); space != text.npos && found.left < 0;
       space = text.find(' ', space + 1)) {
    const MergeReader::Pair pair = {text.substr(0, space), text.substr(space + 1)};
    reader.find({&pair, 1}, {&found, 1});
  }
}

// At most kLookups of them, the first of rank `rank`.
Status read_some(std::span<const JsonElement> entries, std::string_view where, size_t rank,
                 MergeReader& reader, MergeTable& merges) {
  std::array<MergeReader::Pair, kLookups> pairs;
  std::array<MergeTable::Entry, kLookups> found;
  for (size_t i = 0; i < entries.size(); ++i) pairs[i] = merge_pair(entries[i]);
  const auto merged = std::span(found).first(entries.size());
  reader.find(std::span(pairs).first(entries.size()), merged);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (merged[i].left < 0) find_other_space(entries[i], reader, merged[i]);
    if (merged[i].left < 0) {
      return malformed(
          "{}: model.merges[{}]: expected two tokens of the vocabulary that make a "
          "third, got \"{}\"",
          where, rank + i, simdjson::minify(entries[i]));
    }
    merged[i].merge.rank = static_cast<uint32_t>(rank + i);
  }
  merges.assign(merged);
  return {};
}

}  // namespace

Status read_json_merges(JsonElement model, std::string_view where, MergeReader& reader,
                        MergeTable& merges) {
  const auto list = json_member(model, "merges");
  simdjson::dom::array array;
  if (!list.has_value() || list->get_array().get(array) != simdjson::SUCCESS) {
    simdjson::dom::object object;  // an empty object stands for no merges
    if (list.has_value() && list->get_object().get(object) == simdjson::SUCCESS &&
        object.size() == 0) {
      return {};
    }
    return malformed("{}: model.merges: expected an array", where);
  }
  merges.reserve(array.size());
  std::vector<JsonElement> some;
  size_t rank = 0;
  for (const JsonElement entry : array) {
    some.push_back(entry);
    if (some.size() < kLookups) continue;
    RETURN_IF_ERROR(read_some(some, where, rank, reader, merges));
    rank += some.size();
    some.clear();
  }
  return read_some(some, where, rank, reader, merges);
}

}  // namespace orrery::tokenizer
