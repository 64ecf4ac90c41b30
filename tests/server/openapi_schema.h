// Checks a JSON body against a schema of the OpenAPI description that OpenAI publishes: the
// keywords that its responses use. Properties that the schema does not name are allowed, as OpenAPI
// says.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "base/test_data.h"

namespace orrery::server {

class OpenApiSchemas {
 public:
  static const OpenApiSchemas& get() {
    static const OpenApiSchemas schemas;
    return schemas;
  }

  // The first violation, "" if there is none.
  std::string check(const Json& body, const std::string& schema) const {
    return violation(body, schemas_.at(schema), "$");
  }

 private:
  OpenApiSchemas() {
    std::ifstream file(test_data_dir() + "/api/openai/openapi.json");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto json = parse_json(text, "openapi.json");
    CHECK(json.ok()) << json.status().message();
    schemas_ = (*json)["components"]["schemas"];
  }

  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_number_integer();
    return value.is_number();
  }

  std::string type_violation(const Json& value, const Json& schema, const std::string& path) const {
    if (!schema.contains("type")) return {};
    const Json& type = schema["type"];
    bool fits = false;
    for (const Json& each : type.is_array() ? type : Json::array({type})) {
      fits |= has_type(value, each.get<std::string>());
    }
    return fits ? std::string()
                : path + ": expected " + dump_json(type) + ", got " + dump_json(value);
  }

  std::string members_violation(const Json& value, const Json& schema,
                                const std::string& path) const {
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>()))
        return path + ": lacks " + name.get<std::string>();
    }
    const Json properties = schema.value("properties", Json::object());
    for (auto member = value.begin(); member != value.end(); ++member) {
      const std::string where = path + "." + member.key();
      std::string bad;
      if (properties.contains(member.key())) {
        bad = violation(*member, properties[member.key()], where);
      } else if (schema.contains("additionalProperties") &&
                 schema["additionalProperties"].is_object()) {
        bad = violation(*member, schema["additionalProperties"], where);
      }
      if (!bad.empty()) return bad;
    }
    return {};
  }

  std::string choice_violation(const Json& value, const Json& choices,
                               const std::string& path) const {
    std::string bad;
    for (const Json& choice : choices) {
      bad = violation(value, choice, path);
      if (bad.empty()) return {};
    }
    return bad;
  }

  std::string violation(const Json& value, const Json& schema, const std::string& path) const {
    if (schema.contains("$ref")) {
      const auto name = schema["$ref"].get<std::string>();
      return violation(value, schemas_.at(name.substr(name.rfind('/') + 1)), path);
    }
    if (value.is_null() && schema.value("nullable", false)) return {};
    for (const char* keyword : {"anyOf", "oneOf"}) {
      if (!schema.contains(keyword)) continue;
      if (auto bad = choice_violation(value, schema[keyword], path); !bad.empty()) return bad;
    }
    for (const Json& part : schema.value("allOf", Json::array())) {
      if (auto bad = violation(value, part, path); !bad.empty()) return bad;
    }
    if (auto bad = type_violation(value, schema, path); !bad.empty()) return bad;
    if (schema.contains("enum")) {
      const Json& allowed = schema["enum"];
      if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        return path + ": expected one of " + dump_json(allowed) + ", got " + dump_json(value);
      }
    }
    if (value.is_array() && schema.contains("items")) {
      for (size_t i = 0; i < value.size(); ++i) {
        auto bad = violation(value[i], schema["items"], path + "[" + std::to_string(i) + "]");
        if (!bad.empty()) return bad;
      }
    }
    return value.is_object() ? members_violation(value, schema, path) : std::string();
  }

  Json schemas_;
};

}  // namespace orrery::server
