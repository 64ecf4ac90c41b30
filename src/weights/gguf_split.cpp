#include "weights/gguf_split.h"

#include <algorithm>
#include <charconv>

namespace orrery::weights {

std::string SplitName::part(uint32_t wanted) const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, wanted, count);
}

std::optional<SplitName> parse_split_name(std::string_view file) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (file.size() <= kPattern.size()) return std::nullopt;
  const std::string_view end = file.substr(file.size() - kPattern.size());
  if (!std::equal(end.begin(), end.end(), kPattern.begin(), [](char c, char pattern) {
        return pattern == '0' ? c >= '0' && c <= '9' : c == pattern;
      })) {
    return std::nullopt;
  }
  SplitName split;
  split.prefix = file.substr(0, file.size() - kPattern.size());
  std::from_chars(end.data() + 1, end.data() + 6, split.number);
  std::from_chars(end.data() + 10, end.data() + 15, split.count);
  if (split.number < 1 || split.number > split.count) return std::nullopt;
  return split;
}

Result<std::vector<MappedFile>> open_split(const FileSource& folder, const std::string& file) {
  std::vector<MappedFile> parts;
  const std::optional<SplitName> split = parse_split_name(file);
  const uint32_t count = split ? split->count : 1;
  for (uint32_t i = 1; i <= count; ++i) {
    const std::string name = split ? split->part(i) : file;
    if (split && !folder.has(name)) {
      return not_found("{}: part {} of {} is missing: {}", folder.name(), i, count, name);
    }
    ASSIGN_OR_RETURN(MappedFile part, folder.open(name));
    parts.push_back(std::move(part));
  }
  return parts;
}

Status check_split(std::span<const Gguf> parts, std::span<const MappedFile> files) {
  uint64_t tensors = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const uint64_t count = parts[i].find_u64("split.count").value_or(1);
    const uint64_t number = parts[i].find_u64("split.no").value_or(0);
    if (std::max<uint64_t>(count, 1) != parts.size()) {
      return malformed("{}: split.count: expected {} ({} files named -NNNNN-of-NNNNN), got {}",
                       files[i].name(), parts.size(), parts.size(), count);
    }
    if (number != i) {
      return malformed("{}: split.no: expected {}, got {}", files[i].name(), i, number);
    }
    tensors += parts[i].tensors().size();
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto expected = parts[i].find_u64("split.tensors.count");
    if (parts.size() > 1 && expected && *expected != tensors) {
      return malformed("{}: split.tensors.count: expected {} (in all parts), got {}",
                       files[i].name(), tensors, *expected);
    }
  }
  return {};
}

}  // namespace orrery::weights
