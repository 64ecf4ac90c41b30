// The files of `orrery batch`: requests in, results out, a JSON object per line, as OpenAI's batch
// API has them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/openai_service.h"

namespace orrery::cli {

// One line of the input.
struct BatchLine {
  int64_t number = 0;     // in the file, from 1
  std::string custom_id;  // empty if the line has none
  server::OpenAiRoute route = server::OpenAiRoute::kCompletions;
  std::string body;
  // Why the line is no request; empty if it is one.
  std::string error_code;
  std::string error_message;

  bool repeats_custom_id() const { return error_code == kDuplicate; }
  static constexpr std::string_view kDuplicate = "duplicate_custom_id";
};

// Never fails: a line that is no request says so in `error_code`. `seen` holds the custom_ids of
// the lines before, and gets this one's.
BatchLine parse_batch_line(std::string_view text, int64_t number, std::set<std::string>& seen);

// The line of the output for an answered request, and for a line that is none. With the newline.
std::string batch_result(const BatchLine& line, int status, std::string_view body);
std::string batch_error(const BatchLine& line);

// The output: only appended to, a whole line at a time, so that whatever ends the process leaves
// complete lines and at most one torn last one, which the next open() cuts off. Locked against a
// second process. append() may be called from any thread.
class BatchOutput {
 public:
  // Creates the file, or takes up what it holds. Errors: kIo; kMalformed if it holds anything but
  // results; kUnavailable if another process writes it.
  static Result<std::unique_ptr<BatchOutput>> open(const std::string& path);
  ~BatchOutput();
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  // Whether an earlier run has written the result of this line: by its custom_id, or by its number
  // if it has none of its own.
  bool has(const BatchLine& line) const;

  // Errors: kIo. A line that could not be written whole is cut off again.
  Status append(std::string_view line);
  // To the disk.
  Status sync();

 private:
  BatchOutput(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  Status recover();
  Status take(std::string_view line, int64_t number);
  Status failed(std::string_view what) const;

  int descriptor_;
  std::string path_;
  std::set<std::string> done_ids_;
  std::set<int64_t> done_lines_;  // without a custom_id of their own

  std::mutex mutex_;
  int64_t size_ = 0;  // of the whole lines
};

}  // namespace orrery::cli
