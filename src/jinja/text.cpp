#include "jinja/text.h"

#include <algorithm>

namespace orrery::jinja {

Text::Text(std::string bytes, bool untrusted) : bytes_(std::move(bytes)) {
  if (untrusted) {
    mark(0, bytes_.size());
  }
}

void Text::mark(size_t begin, size_t end) {
  if (begin == end) {
    return;
  }
  if (!untrusted_.empty() && untrusted_.back().end == begin) {
    untrusted_.back().end = end;
  } else {
    untrusted_.push_back({begin, end});
  }
}

void Text::append(std::string_view bytes, bool untrusted) {
  const size_t begin = bytes_.size();
  bytes_ += bytes;
  if (untrusted) {
    mark(begin, bytes_.size());
  }
}

void Text::append(const Text& other) { append(other, 0, other.size()); }

void Text::append(const Text& other, size_t begin, size_t end) {
  const size_t offset = bytes_.size();
  bytes_.append(other.bytes_, begin, end - begin);
  if (other.untrusted_.empty()) {
    return;
  }
  auto it = std::lower_bound(other.untrusted_.begin(), other.untrusted_.end(), begin,
                             [](const ByteRange& range, size_t at) { return range.end <= at; });
  for (; it != other.untrusted_.end() && it->begin < end; ++it) {
    mark(offset + std::max(it->begin, begin) - begin, offset + std::min(it->end, end) - begin);
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text out;
  out.append(*this, begin, end);
  return out;
}

bool Text::any_untrusted(size_t begin, size_t end) const {
  const auto it =
      std::lower_bound(untrusted_.begin(), untrusted_.end(), begin,
                       [](const ByteRange& range, size_t at) { return range.end <= at; });
  return it != untrusted_.end() && it->begin < end;
}

}  // namespace orrery::jinja
