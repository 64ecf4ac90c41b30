// The merges of a BPE model in tokenizer.json: "left right", or ["left", "right"] where tokens have
// spaces in them.
#include "base/huge_pages.h"
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

Status find_merges(std::span<const JsonElement> list, std::string_view where, size_t first,
                   MergeReader& reader, std::span<MergeTable::Entry> merges) {
  std::vector<MergeReader::Pair> pairs;
  for (size_t i = 0; i < merges.size(); ++i) pairs.push_back(merge_pair(list[first + i]));
  reader.find(pairs, merges);
  for (size_t i = 0; i < merges.size(); ++i) {
    const JsonElement entry = list[first + i];
    if (merges[i].left < 0) find_other_space(entry, reader, merges[i]);
    if (merges[i].left < 0) {
      return malformed(
          "{}: model.merges[{}]: expected two tokens of the vocabulary that make a "
          "third, got \"{}\"",
          where, first + i, simdjson::minify(entry));
    }
  }
  return {};
}

}  // namespace

size_t count_json_merges(JsonElement model) {
  const auto list = json_member(model, "merges");
  simdjson::dom::array array;
  const bool found = list.has_value() && list->get_array().get(array) == simdjson::SUCCESS;
  return found ? array.size() : 0;
}

Status read_json_merges(JsonElement model, std::string_view where, const MergeReader& reader,
                        MergeTable& merges, const std::function<void()>& beside) {
  const auto list = json_member(model, "merges");
  simdjson::dom::array array;
  if (!list.has_value() || list->get_array().get(array) != simdjson::SUCCESS) {
    simdjson::dom::object object;  // an empty object stands for no merges
    if (list.has_value() && list->get_object().get(object) == simdjson::SUCCESS &&
        object.size() == 0) {
      beside();
      return {};
    }
    return malformed("{}: model.merges: expected an array", where);
  }
  std::vector<JsonElement, HugePageAllocator<JsonElement>> entries;
  entries.reserve(array.size());
  for (const JsonElement entry : array) entries.push_back(entry);
  const auto find = [&](size_t first, MergeReader& own, std::span<MergeTable::Entry> found) {
    return find_merges(entries, where, first, own, found);
  };
  return read_merges(entries.size(), reader, find, merges, beside);
}

}  // namespace orrery::tokenizer
