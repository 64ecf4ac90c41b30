// The post-processor of tokenizer.json: the special tokens around a text.
#include "base/json.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

class PostProcessor {
 public:
  PostProcessor(std::string_view where, Pipeline& pipeline) : where_(where), pipeline_(pipeline) {}

  Status read(JsonElement json, int depth) {
    if (depth > 8) return fail("post_processor", "less nesting");
    const auto type = json_string(json, "type");
    if (type == "ByteLevel") return {};  // only offsets
    if (type == "Sequence") {
      const auto list = json_member(json, "processors");
      simdjson::dom::array array;
      if (!list.has_value() || list->get_array().get(array) != simdjson::SUCCESS) {
        return fail("post_processor.processors", "an array");
      }
      for (const JsonElement member : array) RETURN_IF_ERROR(read(member, depth + 1));
      return {};
    }
    if (type == "TemplateProcessing") return read_template(json);
    if (type == "BertProcessing" || type == "RobertaProcessing") return read_pair(json);
    return unsupported("{}: post-processor {} is not supported", where_, type.value_or("(none)"));
  }

 private:
  Status fail(std::string_view what, std::string_view expected) const {
    return malformed("{}: {}: expected {}", where_, what, expected);
  }

  Result<TokenId> id_of(std::string_view token, std::string_view what) const {
    const auto id = pipeline_.vocab.find(token);
    if (!id.has_value()) {
      return malformed("{}: {}: \"{}\" is not in the vocabulary", where_, what, token);
    }
    return *id;
  }

  // cls before, sep after, each [token, id].
  Status read_pair(JsonElement json) {
    const auto cls = json_member(json, "cls");
    const auto sep = json_member(json, "sep");
    std::string_view cls_token, sep_token;
    if (!cls.has_value() || !sep.has_value() ||
        cls->at(0).get_string().get(cls_token) != simdjson::SUCCESS ||
        sep->at(0).get_string().get(sep_token) != simdjson::SUCCESS) {
      return fail("post_processor", "cls and sep");
    }
    ASSIGN_OR_RETURN(const TokenId cls_id, id_of(cls_token, "post_processor.cls"));
    ASSIGN_OR_RETURN(const TokenId sep_id, id_of(sep_token, "post_processor.sep"));
    pipeline_.prefix.insert(pipeline_.prefix.begin(), cls_id);
    pipeline_.suffix.push_back(sep_id);
    return {};
  }

  // "single": special tokens around the one sequence A.
  Status read_template(JsonElement json) {
    const auto list = json_member(json, "single");
    simdjson::dom::array array;
    if (!list.has_value() || list->get_array().get(array) != simdjson::SUCCESS) {
      return fail("post_processor.single", "an array");
    }
    std::vector<TokenId> before, after;
    bool seen = false;
    for (const JsonElement entry : array) {
      if (const auto special = json_member(entry, "SpecialToken")) {
        RETURN_IF_ERROR(
            template_ids(json, json_string(*special, "id").value_or(""), seen ? after : before));
      } else if (const auto sequence = json_member(entry, "Sequence");
                 sequence.has_value() && json_string(*sequence, "id") == "A" && !seen) {
        seen = true;
      } else {
        return unsupported("{}: post_processor.single: expected one sequence A and special tokens",
                           where_);
      }
    }
    if (!seen) return unsupported("{}: post_processor.single: a template without A", where_);
    pipeline_.prefix.insert(pipeline_.prefix.begin(), before.begin(), before.end());
    pipeline_.suffix.insert(pipeline_.suffix.end(), after.begin(), after.end());
    return {};
  }

  Status template_ids(JsonElement json, std::string_view name, std::vector<TokenId>& out) {
    const auto tokens = json_member(json, "special_tokens");
    const auto token = tokens.has_value() ? json_member(*tokens, name) : std::nullopt;
    const auto ids = token.has_value() ? json_member(*token, "ids") : std::nullopt;
    simdjson::dom::array array;
    if (!ids.has_value() || ids->get_array().get(array) != simdjson::SUCCESS) {
      return fail(fmt::format("post_processor.special_tokens[\"{}\"]", name), "ids");
    }
    for (const JsonElement element : array) {
      int64_t id = -1;
      if (element.get_int64().get(id) != simdjson::SUCCESS || !pipeline_.vocab.has(id)) {
        return malformed("{}: post_processor: id {} of \"{}\" is not in the vocabulary", where_, id,
                         name);
      }
      out.push_back(static_cast<TokenId>(id));
    }
    return {};
  }

  std::string_view where_;
  Pipeline& pipeline_;
};

}  // namespace

Status read_json_post_processor(JsonElement json, std::string_view where, Pipeline& pipeline) {
  return PostProcessor(where, pipeline).read(json, 0);
}

}  // namespace orrery::tokenizer
