// A string that remembers where it came from: UTF-8 bytes, and which of them the user wrote.
//
// Special tokens are recognised only in trusted text, so that a message that spells "<|im_end|>"
// stays a message. Whatever is done to a string keeps the marks of the bytes that it keeps; where
// an operation cannot tell, it marks the whole result. Values, not shared between threads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::jinja {

struct ByteRange {
  size_t begin, end;  // [begin, end), in bytes
  bool operator==(const ByteRange&) const = default;
};

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool untrusted = false);

  const std::string& bytes() const { return bytes_; }
  std::string_view view() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  // Sorted, disjoint, not adjacent, none empty.
  const std::vector<ByteRange>& untrusted() const { return untrusted_; }
  bool all_trusted() const { return untrusted_.empty(); }
  bool any_untrusted(size_t begin, size_t end) const;

  void append(std::string_view bytes, bool untrusted = false);
  void append(const Text& other);
  void append(const Text& other, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;
  void reserve(size_t bytes) { bytes_.reserve(bytes); }
  std::string take_bytes() && { return std::move(bytes_); }

 private:
  void mark(size_t begin, size_t end);

  std::string bytes_;
  std::vector<ByteRange> untrusted_;
};

}  // namespace orrery::jinja
