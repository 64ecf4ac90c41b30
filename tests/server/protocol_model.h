// For tests of the protocol: the embedded demo model, loaded once.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/json.h"
#include "kernels/cpu/cpu_kernels.h"
#include "llm/llm.h"
#include "server/openai_request.h"

namespace orrery::server {

inline llm::Llm& demo_llm() {
  static const std::unique_ptr<llm::Llm> loaded = [] {
    auto kernels = kernels::cpu::make_cpu_kernels("", 1);
    CHECK(kernels.ok()) << kernels.status().message();
    auto made = llm::Llm::load({}, std::move(*kernels));
    CHECK(made.ok()) << made.status().message();
    return std::move(*made);
  }();
  return *loaded;
}

inline const OpenAiOptions& demo_options() {
  static const OpenAiOptions options = [] {
    OpenAiOptions made;
    made.served_model_names = {"demo", "orrery-demo"};
    return made;
  }();
  return options;
}

inline ServedModel demo_model() {
  return {demo_llm(), demo_llm().model().config().max_model_len, demo_options()};
}

inline OrderedJson json_of(std::string_view text) {
  auto json = parse_ordered_json(text, "test");
  EXPECT_TRUE(json.ok()) << json.status().message() << "\n" << text;
  return json.ok() ? *json : OrderedJson();
}

inline ApiResult<GenerationCall> parse_for_test(std::string_view body, bool chat,
                                                const CallContext& context = {}) {
  auto json = parse_body(body, demo_options());
  if (!json.ok()) return json.error();
  return chat ? parse_chat_completion(*json, demo_model(), context)
              : parse_completion(*json, demo_model(), context);
}

}  // namespace orrery::server
