// vLLM's /tokenize and /detokenize.
#pragma once

#include <string>

#include "server/openai_request.h"

namespace orrery::server {

// {"prompt"} or {"messages"} → {"count","max_model_len","tokens","token_strs"}. Errors: 400, 404.
ApiResult<std::string> tokenize(const OrderedJson& body, const ServedModel& model);
// {"tokens"} → {"prompt"}, special tokens spelled out. Errors: 400, 404.
ApiResult<std::string> detokenize(const OrderedJson& body, const ServedModel& model);

}  // namespace orrery::server
