#include "server/openai_answer.h"

#include <algorithm>

namespace orrery::server {
namespace {

bool wants_prompt_logprobs(const AnswerFormat& format) {
  return format.prompt_logprobs || (format.echo && format.logprobs && !format.chat);
}

void write_stop_reason(JsonWriter& json, const llm::StopReason& reason) {
  if (const auto* id = std::get_if<int32_t>(&reason)) {
    json.value(*id);
  } else if (const auto* text = std::get_if<std::string>(&reason)) {
    json.value(*text);
  } else {
    json.null();
  }
}

std::string event(JsonWriter&& json) { return std::move(json).take() + "\n\n"; }

}  // namespace

AnswerWriter::AnswerWriter(AnswerFormat format, std::vector<Prompt> prompts,
                           const tokenizer::Tokenizer* tokenizer)
    : format_(std::move(format)),
      prompts_(std::move(prompts)),
      spelling_(tokenizer, format_.tokens_as_ids),
      states_(prompts_.size()),
      choices_(prompts_.size() * static_cast<size_t>(format_.n)) {
  for (size_t i = 0; i < prompts_.size(); ++i) {
    states_[i].num_tokens = static_cast<int64_t>(prompts_[i].token_ids.size());
  }
}

std::string AnswerWriter::add(size_t prompt, llm::Delta&& delta) {
  PromptState& state = states_[prompt];
  state.num_cached_tokens = std::max<int64_t>(state.num_cached_tokens, delta.num_cached_tokens);
  if (!wants_prompt_logprobs(format_) || state.has_logprobs) return take(prompt, std::move(delta));
  if (delta.index != 0) {  // every answer shows them, and they come with the first one's
    state.held.push_back(std::move(delta));
    return {};
  }
  state.logprobs = std::move(delta.prompt_logprobs);
  state.has_logprobs = true;
  std::string events = take(prompt, std::move(delta));
  for (llm::Delta& held : std::exchange(state.held, {})) events += take(prompt, std::move(held));
  return events;
}

std::string AnswerWriter::take(size_t prompt, llm::Delta&& delta) {
  const size_t index = prompt * static_cast<size_t>(format_.n) + static_cast<size_t>(delta.index);
  Choice& choice = choices_[index];
  if (format_.echo_only) {
    delta.tokens.clear();
    delta.text.clear();
    delta.stop_reason = {};
    if (delta.finish_reason) delta.finish_reason = llm::FinishReason::kLength;
  }
  const bool first = !choice.begun;
  std::string text;
  if (first) begin(prompt, choice, text);
  text += delta.text;
  add_tokens(choice, delta);
  if (delta.finish_reason) {
    choice.finish_reason = delta.finish_reason;
    choice.stop_reason = std::move(delta.stop_reason);
    ++num_finished_;
  }
  if (!format_.stream) {
    choice.text += text;
    return {};
  }
  std::string events = begun_ ? std::string() : role_events();
  begun_ = true;
  // A token whose text is held back is told of only where more than its text was asked for.
  const bool shows_tokens =
      format_.logprobs || format_.return_token_ids || format_.continuous_usage;
  const bool has_news = !text.empty() || choice.finish_reason ||
                        (shows_tokens && !delta.tokens.empty()) ||
                        (first && format_.return_token_ids);
  if (has_news) events += chunk(prompt, index, choice, text, first);
  return events;
}

void AnswerWriter::begin(size_t prompt, Choice& choice, std::string& text) {
  choice.begun = true;
  if (!format_.echo) return;
  text = prompts_[prompt].echo;
  if (!format_.logprobs || format_.chat) return;
  LogprobsWriter& logprobs = choice.logprobs.emplace(make_logprobs(0));
  const std::vector<int32_t>& ids = prompts_[prompt].token_ids;
  logprobs.add_without(ids.front());
  for (const llm::PromptLogprob& position : states_[prompt].logprobs) {
    logprobs.add(position.token.id, position.token.logprob, position.top_logprobs);
  }
}

void AnswerWriter::add_tokens(Choice& choice, const llm::Delta& delta) {
  choice.num_tokens += static_cast<int64_t>(delta.tokens.size());
  if (format_.return_token_ids) {
    for (const sampler::SampledToken& token : delta.tokens) choice.token_ids.push_back(token.id);
  }
  if (!format_.logprobs) return;
  if (!choice.logprobs) choice.logprobs.emplace(make_logprobs(choice.text_offset));
  for (const sampler::SampledToken& token : delta.tokens) {
    choice.logprobs->add(token.id, token.logprob, token.top_logprobs);
  }
}

LogprobsWriter AnswerWriter::make_logprobs(int64_t text_offset) const {
  const auto style =
      format_.chat ? LogprobsWriter::Style::kChat : LogprobsWriter::Style::kCompletions;
  return {style, spelling_, *format_.logprobs, text_offset};
}

JsonWriter AnswerWriter::begin_object(std::string_view object) const {
  JsonWriter json(format_.stream ? "data: " : "");
  json.open('{').key("id").value(format_.id).key("object").value(object);
  json.key("created").value(format_.created).key("model").value(format_.model);
  return json;
}

void AnswerWriter::write_usage(JsonWriter& json, int64_t prompt_tokens, int64_t completion_tokens,
                               int64_t cached_tokens) const {
  json.key("usage").open('{').key("prompt_tokens").value(prompt_tokens);
  json.key("completion_tokens").value(completion_tokens);
  json.key("total_tokens").value(prompt_tokens + completion_tokens);
  json.key("prompt_tokens_details").open('{').key("cached_tokens").value(cached_tokens).close('}');
  json.close('}');
}

void AnswerWriter::write_total_usage(JsonWriter& json) const {
  int64_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0;
  for (const PromptState& state : states_) {
    prompt_tokens += state.num_tokens;
    cached_tokens += state.num_cached_tokens;
  }
  for (const Choice& choice : choices_) completion_tokens += choice.num_tokens;
  write_usage(json, prompt_tokens, completion_tokens, cached_tokens);
}

// The first chunk of each answer says who speaks.
std::string AnswerWriter::role_events() const {
  std::string events;
  if (!format_.chat) return events;
  for (size_t i = 0; i < choices_.size(); ++i) {
    JsonWriter json = begin_object("chat.completion.chunk");
    if (format_.return_token_ids) {
      json.key("prompt_token_ids");
      i == 0 ? json.array(prompts_.front().token_ids) : json.null();
    }
    json.key("choices").open('[').open('{').key("index").value(static_cast<int64_t>(i));
    json.key("delta").open('{').key("role").value("assistant").key("content").value("").close('}');
    json.key("logprobs").null().key("finish_reason").null().close('}').close(']');
    if (format_.continuous_usage) {
      write_usage(json, states_.front().num_tokens, 0, states_.front().num_cached_tokens);
    } else if (format_.include_usage) {
      json.key("usage").null();
    }
    json.close('}');
    events += event(std::move(json));
  }
  return events;
}

std::string AnswerWriter::chunk(size_t prompt, size_t index, Choice& choice,
                                const std::string& text, bool first) {
  JsonWriter json = begin_object(format_.chat ? "chat.completion.chunk" : "text_completion");
  json.key("choices").open('[').open('{').key("index").value(static_cast<int64_t>(index));
  if (format_.chat) {
    json.key("delta").open('{');
    if (!text.empty()) json.key("content").value(text);
    json.close('}');
  } else {
    json.key("text").value(text);
  }
  write_end_of_choice(json, choice);
  if (format_.return_token_ids) {
    if (first && !format_.chat) json.key("prompt_token_ids").array(prompts_[prompt].token_ids);
    json.key("token_ids").array(choice.token_ids);
    choice.token_ids.clear();
  }
  json.close('}').close(']');
  if (format_.continuous_usage) {
    write_usage(json, states_[prompt].num_tokens, choice.num_tokens,
                states_[prompt].num_cached_tokens);
  } else if (format_.include_usage) {
    json.key("usage").null();
  }
  json.close('}');
  return event(std::move(json));
}

// logprobs, finish_reason and stop_reason; takes the log-probabilities away.
void AnswerWriter::write_end_of_choice(JsonWriter& json, Choice& choice) {
  json.key("logprobs");
  if (choice.logprobs && !choice.logprobs->empty()) {
    choice.text_offset = choice.logprobs->text_offset();
    json.raw(std::move(*choice.logprobs).take());
  } else {
    json.null();
  }
  choice.logprobs.reset();
  json.key("finish_reason");
  if (choice.finish_reason) {
    json.value(llm::name_of(*choice.finish_reason));
  } else {
    json.null();
  }
  json.key("stop_reason");
  write_stop_reason(json, choice.stop_reason);
}

std::string AnswerWriter::finish() {
  if (!format_.stream) return whole();
  std::string events;
  if (format_.include_usage) {
    JsonWriter json = begin_object(format_.chat ? "chat.completion.chunk" : "text_completion");
    json.key("choices").open('[').close(']');
    write_total_usage(json);
    json.close('}');
    events = event(std::move(json));
  }
  return events + "data: [DONE]\n\n";
}

std::string AnswerWriter::whole() {
  JsonWriter json = begin_object(format_.chat ? "chat.completion" : "text_completion");
  json.key("choices").open('[');
  for (size_t i = 0; i < choices_.size(); ++i) write_whole_choice(json, i);
  json.close(']');
  write_total_usage(json);
  if (format_.chat && format_.prompt_logprobs) {
    json.key("prompt_logprobs").raw(prompt_logprobs_json(states_[0].logprobs, spelling_));
  }
  if (format_.chat && format_.return_token_ids) {
    json.key("prompt_token_ids").array(prompts_.front().token_ids);
  }
  json.close('}');
  return std::move(json).take();
}

void AnswerWriter::write_whole_choice(JsonWriter& json, size_t index) {
  const size_t prompt = index / static_cast<size_t>(format_.n);
  Choice& choice = choices_[index];
  json.open('{').key("index").value(static_cast<int64_t>(index));
  if (format_.chat) {
    json.key("message").open('{').key("role").value("assistant");
    json.key("content").value(choice.text).key("refusal").null().close('}');
  } else {
    json.key("text").value(choice.text);
  }
  write_end_of_choice(json, choice);
  if (!format_.chat && format_.prompt_logprobs) {
    json.key("prompt_logprobs").raw(prompt_logprobs_json(states_[prompt].logprobs, spelling_));
  }
  if (format_.return_token_ids) {
    if (!format_.chat) json.key("prompt_token_ids").array(prompts_[prompt].token_ids);
    json.key("token_ids").array(choice.token_ids);
  }
  json.close('}');
}

}  // namespace orrery::server
