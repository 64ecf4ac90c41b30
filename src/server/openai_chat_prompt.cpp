// From the messages of a chat to token ids.
#include <algorithm>

#include "server/openai_request.h"

namespace orrery::server {
namespace {

constexpr size_t kMaxTemplateKwargs = 64;

// The texts of a list of parts, a line each, as vLLM joins them for templates that take strings.
std::optional<std::string> text_of_parts(JsonFields& message, const OrderedJson& parts) {
  std::string text;
  for (const OrderedJson& part : parts) {
    if (!part.is_object() && !part.is_string()) {
      message.fail_expected("content", "parts that are objects", part);
      return std::nullopt;
    }
    if (&part != &parts.front()) text += '\n';
    if (part.is_string()) {
      text += part.get_ref<const std::string&>();
      continue;
    }
    const auto type = part.find("type");
    const bool named = type != part.end() && type->is_string();
    const bool refusal = named && *type == "refusal";
    const bool is_text =
        named && (refusal || *type == "text" || *type == "input_text" || *type == "output_text");
    if (!is_text) {
      message.fail("content", fmt::format("expected parts of type \"text\", got {}",
                                          named ? quoted(*type) : "a part without a type"));
      return std::nullopt;
    }
    const auto value = part.find(refusal ? "refusal" : "text");
    if (value == part.end() || !value->is_string()) {
      message.fail("content", "expected a text in each part of type \"text\"");
      return std::nullopt;
    }
    text += value->get_ref<const std::string&>();
  }
  return text;
}

// Templates take the arguments of a call as an object, clients send its text.
void parse_arguments(JsonFields& message, OrderedJson& tool_calls) {
  for (OrderedJson& call : tool_calls) {
    const bool well_formed =
        call.is_object() && call.contains("function") && call["function"].is_object();
    if (!well_formed) return message.fail_expected("tool_calls", "calls of functions", call);
    OrderedJson& function = call["function"];
    if (!function.contains("arguments") || !function["arguments"].is_string()) continue;
    const auto& text = function["arguments"].get_ref<const std::string&>();
    if (text.empty()) {
      function["arguments"] = OrderedJson::object();
      continue;
    }
    auto arguments = parse_ordered_json(text, "arguments", 64);
    if (!arguments.ok()) return message.fail("tool_calls", arguments.status().message());
    function["arguments"] = std::move(*arguments);
  }
}

OrderedJson read_message(JsonFields& message) {
  OrderedJson out;
  std::string role, text;
  message.read("role", role, 64);
  if (message.ok() && role.empty()) message.fail("role", "expected a role, got none");
  out["role"] = role;
  const OrderedJson* content = message.find("content");
  if (content != nullptr && content->is_array()) {
    text = text_of_parts(message, *content).value_or("");
  } else {
    message.read("content", text, SIZE_MAX);
  }
  out["content"] = std::move(text);
  for (const char* name : {"name", "tool_call_id", "reasoning_content", "reasoning"}) {
    if (!message.has(name)) continue;
    std::string value;
    message.read(name, value, SIZE_MAX);
    out[name] = std::move(value);
  }
  const OrderedJson* tool_calls = message.find_array("tool_calls");
  if (tool_calls != nullptr && !tool_calls->empty()) {
    out["tool_calls"] = *tool_calls;
    parse_arguments(message, out["tool_calls"]);
  }
  const bool answers = role == "assistant" || role == "tool" || role == "function";
  if (content == nullptr && !answers) message.fail("content", "expected a text, got none");
  return out;
}

OrderedJson read_messages(JsonFields& fields) {
  OrderedJson out = OrderedJson::array();
  const OrderedJson* messages = fields.find_array("messages");
  if (fields.ok() && (messages == nullptr || messages->empty())) {
    fields.fail("messages", "expected at least one message, got none");
  }
  for (size_t i = 0; fields.ok() && i < messages->size(); ++i) {
    if (!(*messages)[i].is_object()) {
      fields.fail_expected(fmt::format("messages[{}]", i), "an object", (*messages)[i]);
      break;
    }
    JsonFields message((*messages)[i], fmt::format("messages[{}].", i));
    out.push_back(read_message(message));
    if (!message.ok()) fields.fail(message.error());
  }
  return out;
}

// Tools reach the template. What they are answered with is text: a choice that promises the form of
// a call cannot be kept.
void read_tools(JsonFields& fields, tokenizer::ChatRequest& chat) {
  if (const OrderedJson* tools = fields.find_array("tools"); tools != nullptr) {
    for (const OrderedJson& tool : *tools) {
      if (!tool.is_object()) fields.fail_expected("tools", "objects", tool);
    }
    if (!tools->empty()) chat.tools = *tools;
  }
  const OrderedJson* choice = fields.find("tool_choice");
  if (choice != nullptr && *choice != "auto" && *choice != "none") {
    fields.fail_expected("tool_choice", "\"auto\" or \"none\", the only ones that are supported",
                         *choice);
  }
  if (const OrderedJson* documents = fields.find_array("documents"); documents != nullptr) {
    chat.documents = *documents;
  }
}

void read_template_options(JsonFields& fields, tokenizer::ChatRequest& chat, bool& continue_final) {
  fields.read("add_generation_prompt", chat.add_generation_prompt);
  fields.read("continue_final_message", continue_final);
  if (continue_final && chat.add_generation_prompt) {
    fields.fail("continue_final_message", "expected add_generation_prompt: false with it");
  }
  if (fields.has("chat_template")) {
    fields.fail("chat_template", "templates in requests are not accepted by this server");
  }
  const OrderedJson* kwargs = fields.find_object("chat_template_kwargs");
  if (kwargs == nullptr) return;
  if (kwargs->size() > kMaxTemplateKwargs) {
    return fields.fail("chat_template_kwargs", fmt::format("expected at most {} keys, got {}",
                                                           kMaxTemplateKwargs, kwargs->size()));
  }
  for (const char* name : {"chat_template", "tokenize"}) {
    if (kwargs->contains(name)) {
      return fields.fail("chat_template_kwargs", fmt::format("'{}' is not accepted", name));
    }
  }
  chat.kwargs = *kwargs;
}

std::string_view strip(std::string_view text, bool left, bool right) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  if (left) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  if (right) text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  return text;
}

// Ends the prompt with the last message, so that the answer continues it: as Hugging Face's
// apply_chat_template, whether or not the template strips the message.
bool cut_after_final_message(std::string_view message, jinja::Rendered& prompt) {
  const std::string_view stripped = strip(message, true, true);
  const size_t at = prompt.text.rfind(stripped);
  if (at == std::string::npos) return false;
  const std::string_view kept = strip(message, true, false);
  const bool preserved = std::string_view(prompt.text).substr(at).starts_with(kept);
  prompt.text.resize(at + (preserved ? kept : stripped).size());
  auto& ranges = prompt.untrusted;
  while (!ranges.empty() && ranges.back().begin >= prompt.text.size()) ranges.pop_back();
  if (!ranges.empty()) ranges.back().end = std::min(ranges.back().end, prompt.text.size());
  return true;
}

// Where the template lies is the operator's business.
ApiError template_error(const Status& status, const std::string& model_name) {
  std::string message = status.message();
  if (const size_t at = message.find(model_name); !model_name.empty() && at != message.npos) {
    message.replace(at, model_name.size(), "model");
  }
  return {.message = "messages: " + message, .param = "messages"};
}

}  // namespace

std::optional<Prompt> read_chat_prompt(JsonFields& fields, const ServedModel& model) {
  tokenizer::ChatRequest chat;
  bool continue_final = false, add_special_tokens = false;
  chat.messages = read_messages(fields);
  read_tools(fields, chat);
  read_template_options(fields, chat, continue_final);
  fields.read("add_special_tokens", add_special_tokens);
  if (!fields.ok()) return std::nullopt;
  const tokenizer::ChatTemplate* chat_template = model.llm.chat_template();
  if (model.llm.tokenizer() == nullptr || chat_template == nullptr) {
    fields.fail("messages", "this model has no chat template");
    return std::nullopt;
  }
  auto rendered = chat_template->render(chat);
  if (!rendered.ok()) {
    fields.fail(template_error(rendered.status(), model.llm.checkpoint().name()));
    return std::nullopt;
  }
  const OrderedJson& last = chat.messages.back();
  if (continue_final &&
      !cut_after_final_message(last["content"].get_ref<const std::string&>(), *rendered)) {
    fields.fail("continue_final_message", "the template does not show the last message's text");
    return std::nullopt;
  }
  std::vector<tokenizer::Segment> segments;
  for (const jinja::Segment& segment : rendered->segments()) {
    segments.push_back({segment.text, segment.trusted});
  }
  auto ids =
      model.llm.tokenizer()->encode_segments(segments, {.add_special_tokens = add_special_tokens});
  if (!ids.ok()) {
    fields.fail("messages", "cannot be tokenised within the limits of matching");
    return std::nullopt;
  }
  Prompt prompt;
  prompt.token_ids = std::move(*ids);
  if (last["role"] == "assistant") prompt.echo = last["content"].get<std::string>();
  return prompt;
}

}  // namespace orrery::server
