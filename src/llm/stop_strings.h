// StopStrings: ends a stream of text at the first of some strings, also when it is spread over
// several tokens.
//
// Text that could be the beginning of a stop string is held back until it is known not to be. One
// per stream, one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orrery::llm {

class StopStrings {
 public:
  // Empty strings never match. `include` keeps the stop string in the released text.
  StopStrings(std::vector<std::string> stops, bool include);

  // Appends text to the stream; returns what became certain. After a match it returns nothing more.
  std::string push(std::string_view text);
  // The same for text in which no stop string may end (before min_tokens); one that ends in later
  // text may begin in it.
  std::string push_unmatched(std::string_view text);
  // The stream ended: what was held back.
  std::string finish();

  bool matched() const { return matched_; }
  const std::string& match() const { return match_; }  // the stop string that matched
  std::string_view held_back() const { return pending_; }

 private:
  size_t held_back_length() const;
  std::string release();

  std::vector<std::string> stops_;
  bool include_;
  bool matched_ = false;
  std::string match_;
  std::string pending_;
};

}  // namespace orrery::llm
