#include "cli/batch_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/json.h"
#include "base/mapped_file.h"
#include "server/json_writer.h"

namespace orrery::cli {
namespace {

constexpr std::string_view kIdPrefix = "batch_req_";

std::string text_of(const OrderedJson& json, const char* name) {
  const auto field = json.find(name);
  return field != json.end() && field->is_string() ? field->get<std::string>() : std::string();
}

void refuse(BatchLine& line, std::string_view code, std::string message) {
  line.error_code = code;
  line.error_message = std::move(message);
}

void read_request(const OrderedJson& json, BatchLine& line) {
  if (const std::string method = text_of(json, "method"); method != "POST") {
    return refuse(line, "invalid_method", fmt::format("method: expected POST, got \"{}\"", method));
  }
  const std::string url = text_of(json, "url");
  const auto route = server::openai_route(url);
  const bool generates =
      route == server::OpenAiRoute::kCompletions || route == server::OpenAiRoute::kChatCompletions;
  if (!generates) {
    return refuse(
        line, "invalid_url",
        fmt::format("url: expected /v1/completions or /v1/chat/completions, got \"{}\"", url));
  }
  line.route = *route;
  const auto body = json.find("body");
  if (body == json.end() || !body->is_object()) {
    return refuse(line, "invalid_body", "body: expected an object");
  }
  if (const auto stream = body->find("stream"); stream != body->end() && *stream == true) {
    return refuse(line, "invalid_body", "body: expected no stream in a batch");
  }
  line.body = dump_json(*body);
}

server::JsonWriter begin_result(const BatchLine& line) {
  server::JsonWriter json;
  json.open('{').key("id").value(fmt::format("{}{}", kIdPrefix, line.number));
  json.key("custom_id").text_or_null(line.custom_id);
  return json;
}

// The number in "batch_req_17", 0 if there is none.
int64_t number_of(std::string_view id) {
  int64_t number = 0;
  if (id.starts_with(kIdPrefix)) {
    id.remove_prefix(kIdPrefix.size());
    std::from_chars(id.data(), id.data() + id.size(), number);
  }
  return number;
}

}  // namespace

BatchLine parse_batch_line(std::string_view text, int64_t number, std::set<std::string>& seen) {
  BatchLine line;
  line.number = number;
  auto json = parse_ordered_json(text, fmt::format("line {}", number), 128);
  if (!json.ok()) {
    refuse(line, "invalid_json", json.status().message());
    return line;
  }
  if (!json->is_object()) {
    refuse(line, "invalid_json", fmt::format("line {}: expected an object", number));
    return line;
  }
  line.custom_id = text_of(*json, "custom_id");
  if (line.custom_id.empty()) {
    refuse(line, "invalid_custom_id", "custom_id: expected a string that is not empty");
  } else if (!seen.insert(line.custom_id).second) {
    refuse(line, BatchLine::kDuplicate,
           fmt::format("custom_id: \"{}\" names an earlier line already", line.custom_id));
  } else {
    read_request(*json, line);
  }
  return line;
}

std::string batch_result(const BatchLine& line, int status, std::string_view body) {
  server::JsonWriter json = begin_result(line);
  json.key("response").open('{').key("status_code").value(status);
  json.key("request_id").value(fmt::format("req_{}", line.number)).key("body").raw(body).close('}');
  json.key("error").null().close('}');
  return std::move(json).take() + "\n";
}

std::string batch_error(const BatchLine& line) {
  server::JsonWriter json = begin_result(line);
  json.key("response").null().key("error").open('{').key("code").value(line.error_code);
  json.key("message").value(line.error_message).close('}').close('}');
  return std::move(json).take() + "\n";
}

Result<std::unique_ptr<BatchOutput>> BatchOutput::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return io_error("{}: cannot open: {}", path, std::strerror(errno));
  std::unique_ptr<BatchOutput> output(new BatchOutput(descriptor, path));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return unavailable("{}: another process is writing this file", path);
  }
  RETURN_IF_ERROR(output->recover());
  return output;
}

BatchOutput::~BatchOutput() { ::close(descriptor_); }

Status BatchOutput::failed(std::string_view what) const {
  return io_error("{}: cannot {}: {}", path_, what, std::strerror(errno));
}

Status BatchOutput::recover() {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path_));
  const std::string_view text = file.text();
  int64_t number = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    RETURN_IF_ERROR(take(text.substr(begin, end - begin), ++number));
    size_ = static_cast<int64_t>(end) + 1;
  }
  if (size_ < static_cast<int64_t>(text.size()) && ::ftruncate(descriptor_, size_) != 0) {
    return failed("cut off a torn line");
  }
  return {};
}

Status BatchOutput::take(std::string_view line, int64_t number) {
  const std::string where = fmt::format("{}: line {}", path_, number);
  const auto parsed = parse_ordered_json(line, where);
  const bool is_result = parsed.ok() && parsed->is_object() && parsed->contains("id") &&
                         parsed->contains("custom_id") && parsed->contains("response") &&
                         parsed->contains("error");
  if (!is_result) return malformed("{}: expected the result of a batch, got something else", where);
  const OrderedJson& json = *parsed;
  const std::string custom_id = text_of(json, "custom_id");
  const OrderedJson& error = json.at("error");
  const bool repeats = error.is_object() && text_of(error, "code") == BatchLine::kDuplicate;
  if (custom_id.empty() || repeats) {
    done_lines_.insert(number_of(text_of(json, "id")));
  } else {
    done_ids_.insert(custom_id);
  }
  return {};
}

bool BatchOutput::has(const BatchLine& line) const {
  if (line.custom_id.empty() || line.repeats_custom_id()) return done_lines_.contains(line.number);
  return done_ids_.contains(line.custom_id);
}

Status BatchOutput::append(std::string_view line) {
  const std::lock_guard lock(mutex_);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const Status status = failed("write");
      if (::ftruncate(descriptor_, size_) != 0) return failed("cut off a torn line");
      return status;
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  size_ += static_cast<int64_t>(line.size());
  return {};
}

Status BatchOutput::sync() {
  // A pipe or a device cannot be synced, and has nothing to lose.
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL) return failed("sync");
  return {};
}

}  // namespace orrery::cli
