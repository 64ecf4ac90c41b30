#include "server/openai_logprobs.h"

#include <algorithm>

#include "base/utf8.h"

namespace orrery::server {
namespace {

float clamped(float logprob) { return logprob >= -9999.0F ? logprob : -9999.0F; }  // NaN too

int64_t num_characters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void write_bytes(std::string_view bytes, JsonWriter& json) {
  json.open('[');
  for (const char c : bytes) json.value(static_cast<int32_t>(static_cast<unsigned char>(c)));
  json.close(']');
}

}  // namespace

std::string TokenSpelling::text(int32_t id) const {
  return as_ids_ ? fmt::format("token_id:{}", id)
                 : replace_invalid_utf8(tokenizer_->token_bytes(id));
}

std::string TokenSpelling::bytes(int32_t id) const {
  return as_ids_ ? text(id) : tokenizer_->token_bytes(id);
}

LogprobsWriter::LogprobsWriter(Style style, TokenSpelling spelling, int32_t top,
                               int64_t text_offset)
    : style_(style),
      spelling_(spelling),
      top_(static_cast<size_t>(top)),
      text_offset_(text_offset) {
  for (JsonWriter* list : {&tokens_, &token_logprobs_, &top_logprobs_, &text_offsets_, &content_}) {
    list->open('[');
  }
}

void LogprobsWriter::begin_completions_token(int32_t id) {
  const std::string token = spelling_.text(id);
  tokens_.value(token);
  text_offsets_.value(text_offset_);
  text_offset_ += num_characters(token);
  ++num_tokens_;
}

void LogprobsWriter::add_without(int32_t id) {
  begin_completions_token(id);
  token_logprobs_.null();
  top_logprobs_.null();
}

void LogprobsWriter::add(int32_t id, float logprob,
                         std::span<const sampler::TokenLogprob> top_logprobs) {
  const auto top = top_logprobs.first(std::min(top_, top_logprobs.size()));
  if (style_ == Style::kCompletions) {
    begin_completions_token(id);
    token_logprobs_.value(clamped(logprob));
    // The chosen token is among them even if it is not one of the most probable.
    top_logprobs_.open('{').key(spelling_.text(id)).value(clamped(logprob));
    for (const sampler::TokenLogprob& other : top) {
      if (other.id != id) top_logprobs_.key(spelling_.text(other.id)).value(clamped(other.logprob));
    }
    top_logprobs_.close('}');
    return;
  }
  const auto write = [this](int32_t token, float value) -> JsonWriter& {
    content_.open('{').key("token").value(spelling_.text(token));
    content_.key("logprob").value(clamped(value)).key("bytes");
    write_bytes(spelling_.bytes(token), content_);
    return content_;
  };
  write(id, logprob).key("top_logprobs").open('[');
  for (const sampler::TokenLogprob& other : top) write(other.id, other.logprob).close('}');
  content_.close(']').close('}');
  ++num_tokens_;
}

std::string LogprobsWriter::take() && {
  JsonWriter json;
  json.open('{');
  if (style_ == Style::kChat) {
    json.key("content").raw(content_.close(']').text()).key("refusal").null();
  } else {
    json.key("text_offset").raw(text_offsets_.close(']').text());
    json.key("token_logprobs").raw(token_logprobs_.close(']').text());
    json.key("tokens").raw(tokens_.close(']').text());
    json.key("top_logprobs").raw(top_logprobs_.close(']').text());
  }
  json.close('}');
  return std::move(json).take();
}

std::string prompt_logprobs_json(std::span<const llm::PromptLogprob> logprobs,
                                 const TokenSpelling& spelling) {
  JsonWriter json;
  json.open('[').null();
  for (const llm::PromptLogprob& position : logprobs) {
    const auto write = [&](const sampler::TokenLogprob& token) {
      json.key(std::to_string(token.id)).open('{');
      json.key("logprob").value(clamped(token.logprob)).key("rank").value(token.rank);
      json.key("decoded_token").value(spelling.text(token.id)).close('}');
    };
    json.open('{');
    write(position.token);
    for (const sampler::TokenLogprob& other : position.top_logprobs) {
      if (other.id != position.token.id) write(other);
    }
    json.close('}');
  }
  json.close(']');
  return std::move(json).take();
}

}  // namespace orrery::server
