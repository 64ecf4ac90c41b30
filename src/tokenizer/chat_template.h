// From the messages of a chat to the text of a prompt, as the checkpoint's template writes it and
// as Hugging Face's apply_chat_template renders it.
//
// The result says which bytes the template wrote and which came from the request: special tokens
// are to be recognised in the former only, so that no user can forge a turn.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "jinja/template.h"

namespace orrery::tokenizer {

struct ChatRequest {
  OrderedJson messages = OrderedJson::array();
  OrderedJson tools;      // null or an array, as in the chat completions of OpenAI
  OrderedJson documents;  // null or an array
  bool add_generation_prompt = true;
  OrderedJson kwargs = OrderedJson::object();  // chat_template_kwargs: more variables
  std::optional<int64_t> now_unix_seconds;  // for templates that write the date; else the clock's
  int utc_offset_seconds = 0;
};

// Immutable; may be used by several threads at once; cheap to copy.
class ChatTemplate {
 public:
  // `name` stands in messages. Errors: those of jinja::Template::parse.
  static Result<ChatTemplate> parse(std::string_view source, std::string bos_token,
                                    std::string eos_token, std::string_view name,
                                    const jinja::Limits& limits = {});

  // The chat_template of a tokenizer_config.json: one template, or a list of {name, template}, of
  // which requests with tools take "tool_use" and all others "default".
  static Result<ChatTemplate> from_config(const OrderedJson& chat_template, std::string bos_token,
                                          std::string eos_token, std::string_view name,
                                          const jinja::Limits& limits = {});

  // Errors: kInvalidArgument for a request of the wrong shape, for what the template refuses and
  // for kwargs that would replace messages, tools, documents or add_generation_prompt;
  // kResourceExhausted. Special tokens that kwargs replace are the user's text.
  Result<jinja::Rendered> render(const ChatRequest& request) const;

 private:
  ChatTemplate(jinja::Template main, std::string bos_token, std::string eos_token,
               const jinja::Limits& limits)
      : main_(std::move(main)),
        bos_token_(std::move(bos_token)),
        eos_token_(std::move(eos_token)),
        limits_(limits) {}

  jinja::Template main_;
  std::optional<jinja::Template> tool_use_;
  std::string bos_token_;
  std::string eos_token_;
  jinja::Limits limits_;
};

}  // namespace orrery::tokenizer
