#include "server/openai_tokenize.h"

#include "server/json_writer.h"

namespace orrery::server {
namespace {

std::vector<int32_t> read_text(JsonFields& fields, const ServedModel& model) {
  std::string text;
  bool add_special_tokens = true;
  if (!fields.has("prompt")) fields.fail("prompt", "expected a prompt or messages, got none");
  fields.read("prompt", text, SIZE_MAX);
  fields.read("add_special_tokens", add_special_tokens);
  if (!fields.ok()) return {};
  auto ids = model.encode(text, add_special_tokens);
  if (ids.ok()) return std::move(*ids);
  fields.fail(ids.error());
  return {};
}

}  // namespace

ApiResult<std::string> tokenize(const OrderedJson& body, const ServedModel& model) {
  JsonFields fields(body);
  check_model(fields, model.options);
  bool return_token_strs = false;
  fields.read("return_token_strs", return_token_strs);
  std::vector<int32_t> ids;
  if (fields.has("messages")) {
    if (auto prompt = read_chat_prompt(fields, model)) ids = std::move(prompt->token_ids);
  } else {
    ids = read_text(fields, model);
  }
  if (!fields.ok()) return fields.error();
  JsonWriter json;
  json.open('{').key("count").value(static_cast<int64_t>(ids.size()));
  json.key("max_model_len").value(model.max_model_len).key("tokens").array(ids);
  json.key("token_strs");
  if (return_token_strs) {
    json.open('[');
    for (const int32_t id : ids) json.value(model.llm.tokenizer()->token(id));
    json.close(']');
  } else {
    json.null();
  }
  json.close('}');
  return std::move(json).take();
}

ApiResult<std::string> detokenize(const OrderedJson& body, const ServedModel& model) {
  JsonFields fields(body);
  check_model(fields, model.options);
  std::vector<int32_t> ids;
  if (!fields.has("tokens")) fields.fail("tokens", "expected token ids, got none");
  if (model.llm.tokenizer() == nullptr) fields.fail("tokens", "this model has no tokenizer");
  if (fields.ok()) fields.read_ids("tokens", ids, model.llm.tokenizer()->vocab_size());
  if (!fields.ok()) return fields.error();
  auto text = model.llm.tokenizer()->decode(ids, false);
  if (!text.ok()) return api_error_of(text.status());
  JsonWriter json;
  json.open('{').key("prompt").value(*text).close('}');
  return std::move(json).take();
}

}  // namespace orrery::server
