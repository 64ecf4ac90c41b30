// Bodies of requests: whatever bytes come, a parsed request or an error of 400 or 404, and nothing
// but JSON in answer.
#include "base/check.h"
#include "kernels/kernels.h"
#include "llm/llm.h"
#include "server/openai_request.h"
#include "server/openai_tokenize.h"

namespace {

using namespace orrery;

const llm::Llm& demo() {
  static const std::unique_ptr<llm::Llm> loaded = [] {
    auto made = llm::Llm::load({}, kernels::make_reference_kernels());
    CHECK(made.ok()) << made.status().message();
    return std::move(*made);
  }();
  return *loaded;
}

template <typename T>
void check(server::ApiResult<T> result) {
  if (result.ok()) return;
  CHECK(result.error().status == 400 || result.error().status == 404);
  CHECK(parse_json(server::to_json(result.error()), "error").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  server::OpenAiOptions options;
  options.served_model_names = {"demo"};
  const server::ServedModel model(demo(), demo().model().config().max_model_len, options);
  auto body = server::parse_body(text, options);
  if (!body.ok()) {
    check(std::move(body));
    return 0;
  }
  switch (data[0] % 4) {
    case 0:
      check(server::parse_completion(*body, model, {}));
      break;
    case 1:
      check(server::parse_chat_completion(*body, model, {}));
      break;
    case 2:
      check(server::tokenize(*body, model));
      break;
    default:
      check(server::detokenize(*body, model));
  }
  return 0;
}
