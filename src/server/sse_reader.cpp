#include "server/sse_reader.h"

#include <utility>

#include "base/json.h"

namespace orrery::server {
namespace {

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

bool has_text(const Json& event) {
  const Json* choices = member(event, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return false;
  const Json* delta = member(choices->front(), "delta");
  if (delta == nullptr) return false;
  for (const char* key : {"content", "reasoning_content", "reasoning"}) {
    const Json* text = member(*delta, key);
    if (text != nullptr && text->is_string() && !text->get_ref<const std::string&>().empty())
      return true;
  }
  return false;
}

}  // namespace

void SseReader::feed(std::string_view bytes) {
  if (failed_) return;
  input_.erase(0, used_);
  scanned_ -= used_;
  used_ = 0;
  input_ += bytes;
}

std::optional<std::string> SseReader::next() {
  for (size_t end; !failed_ && (end = input_.find('\n', scanned_)) != std::string::npos;) {
    std::string_view line(input_.data() + used_, end - used_);
    used_ = scanned_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      if (!has_data_) continue;
      has_data_ = false;
      return std::exchange(data_, {});
    }
    constexpr std::string_view kData = "data:";
    if (!line.starts_with(kData)) continue;
    line.remove_prefix(kData.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
    failed_ = data_.size() > kMaxEventBytes;
  }
  scanned_ = input_.size();
  failed_ = failed_ || scanned_ - used_ > kMaxEventBytes;
  if (failed_) input_ = data_ = std::string(), used_ = scanned_ = 0;
  return std::nullopt;
}

StreamedEvent read_streamed_event(std::string_view data, bool chat) {
  StreamedEvent event;
  if (data == "[DONE]") {
    event.done = true;
    return event;
  }
  event.is_error = data.starts_with("{\"error\"");
  // Of a completion, only the event with the usage, which has no choices, is worth a parser. A chat
  // has events without text: the first names the role.
  const size_t choices = data.find("\"choices\":");
  const bool any = choices != data.npos && data.find('{', choices) < data.find(']', choices);
  if (any && !chat) {
    event.has_token = true;
    return event;
  }
  const auto json = parse_json(data, "event");
  if (!json.ok()) return event;
  event.has_token = any && has_text(*json);
  const Json* usage = member(*json, "usage");
  const Json* tokens = usage == nullptr ? nullptr : member(*usage, "completion_tokens");
  if (tokens != nullptr && tokens->is_number_integer())
    event.output_tokens = tokens->get<int64_t>();
  return event;
}

}  // namespace orrery::server
