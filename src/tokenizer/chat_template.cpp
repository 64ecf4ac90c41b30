#include "tokenizer/chat_template.h"

#include <algorithm>
#include <array>

namespace orrery::tokenizer {
namespace {

constexpr std::array<std::string_view, 4> kReserved = {"messages", "tools", "documents",
                                                       "add_generation_prompt"};

Status check_array(const OrderedJson& value, std::string_view name, bool may_be_null) {
  if (value.is_array() || (may_be_null && value.is_null())) {
    return {};
  }
  return invalid_argument("{}: expected an array, got {}", name, value.type_name());
}

Status check_messages(const OrderedJson& messages) {
  RETURN_IF_ERROR(check_array(messages, "messages", false));
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].is_object()) {
      return invalid_argument("messages[{}]: expected an object, got {}", i,
                              messages[i].type_name());
    }
  }
  return {};
}

Status check_kwargs(const OrderedJson& kwargs) {
  if (!kwargs.is_object()) {
    return invalid_argument("chat_template_kwargs: expected an object, got {}", kwargs.type_name());
  }
  for (const std::string_view name : kReserved) {
    if (kwargs.contains(name)) {
      return invalid_argument("chat_template_kwargs: '{}' is a field of the request itself", name);
    }
  }
  return {};
}

// The source of the template called `name` in a list of {name, template}; null if there is none.
Result<const std::string*> find_source(const OrderedJson& list, std::string_view name) {
  for (const OrderedJson& entry : list) {
    const bool well_formed = entry.is_object() && entry.contains("name") &&
                             entry.contains("template") && entry["name"].is_string() &&
                             entry["template"].is_string();
    if (!well_formed) {
      return malformed("chat_template: expected objects with a name and a template");
    }
    if (entry["name"].get_ref<const std::string&>() == name) {
      return &entry["template"].get_ref<const std::string&>();
    }
  }
  return static_cast<const std::string*>(nullptr);
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, std::string bos_token,
                                         std::string eos_token, std::string_view name,
                                         const jinja::Limits& limits) {
  ASSIGN_OR_RETURN(jinja::Template main, jinja::Template::parse(source, name, limits));
  return ChatTemplate(std::move(main), std::move(bos_token), std::move(eos_token), limits);
}

Result<ChatTemplate> ChatTemplate::from_config(const OrderedJson& chat_template,
                                               std::string bos_token, std::string eos_token,
                                               std::string_view name, const jinja::Limits& limits) {
  if (chat_template.is_string()) {
    return parse(chat_template.get_ref<const std::string&>(), std::move(bos_token),
                 std::move(eos_token), name, limits);
  }
  if (!chat_template.is_array()) {
    return malformed("{}: chat_template: expected a string or an array, got {}", name,
                     chat_template.type_name());
  }
  ASSIGN_OR_RETURN(const std::string* main, find_source(chat_template, "default"));
  ASSIGN_OR_RETURN(const std::string* tool_use, find_source(chat_template, "tool_use"));
  if (main == nullptr) {
    return not_found("{}: chat_template: no template is named 'default'", name);
  }
  ASSIGN_OR_RETURN(ChatTemplate made,
                   parse(*main, std::move(bos_token), std::move(eos_token), name, limits));
  if (tool_use != nullptr) {
    ASSIGN_OR_RETURN(made.tool_use_, jinja::Template::parse(*tool_use, name, limits));
  }
  return made;
}

Result<jinja::Rendered> ChatTemplate::render(const ChatRequest& request) const {
  RETURN_IF_ERROR(check_messages(request.messages));
  RETURN_IF_ERROR(check_array(request.tools, "tools", true));
  RETURN_IF_ERROR(check_array(request.documents, "documents", true));
  RETURN_IF_ERROR(check_kwargs(request.kwargs));

  jinja::RenderOptions options;
  options.limits = limits_;
  options.now_unix_seconds = request.now_unix_seconds;
  options.utc_offset_seconds = request.utc_offset_seconds;

  OrderedJson context = OrderedJson::object();
  context["messages"] = request.messages;
  context["tools"] = request.tools;
  context["documents"] = request.documents;
  context["add_generation_prompt"] = request.add_generation_prompt;
  context["bos_token"] = bos_token_;
  context["eos_token"] = eos_token_;
  std::vector<std::string>& trusted = options.trust.variables;
  for (const auto& [key, value] : request.kwargs.items()) {
    context[key] = value;
    trusted.erase(std::remove(trusted.begin(), trusted.end(), key), trusted.end());
  }
  const bool uses_tools = tool_use_ && !request.tools.is_null();
  return (uses_tools ? *tool_use_ : main_).render(context, options);
}

}  // namespace orrery::tokenizer
