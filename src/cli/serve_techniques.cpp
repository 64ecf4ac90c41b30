#include "cli/serve_techniques.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"

namespace orrery::cli {
namespace {

using engine::kTechniqueFields;
using engine::Techniques;
using server::HttpResponse;

// For how long a change waits for the last request to end, and those that come meanwhile with it.
constexpr std::chrono::seconds kPatience{5};

HttpResponse refusal(int status, std::string_view message, std::string_view code) {
  return server::error_response(status, message, "invalid_request_error", code);
}

// This one the other way round, and no prefix cache, which two others are needed for.
Techniques with_one_switched(Techniques techniques, bool Techniques::*on) {
  techniques.prefix_cache = false;
  techniques.paging = techniques.kv_cache = true;
  techniques.*on = !(techniques.*on);
  return techniques;
}

// Pages of other origins may have been let in to ask for completions, not to this.
bool is_of_another_origin(const server::HttpRequest& request) {
  const std::string* origin = request.header("origin");
  const std::string* host = request.header("host");
  return origin != nullptr && (host == nullptr || !origin->ends_with("://" + *host));
}

Result<Techniques> parse(std::string_view body, Techniques techniques) {
  ASSIGN_OR_RETURN(const Json json, parse_json(body, "body", 4));
  if (!json.is_object() || json.empty()) {
    return invalid_argument("expected an object like {{\"prefix_cache\": false}}");
  }
  for (const auto& [name, value] : json.items()) {
    const auto* const field =
        std::find_if(kTechniqueFields.begin(), kTechniqueFields.end(),
                     [&name = name](const auto& f) { return f.name == name; });
    if (field == kTechniqueFields.end()) return invalid_argument("{}: no such technique", name);
    if (!value.is_boolean()) return invalid_argument("{}: expected true or false", name);
    techniques.*field->on = value.get<bool>();
  }
  return techniques;
}

HttpResponse state_of(const llm::Service& service, bool allowed) {
  const Techniques now = service.techniques();
  OrderedJson json;
  json["allowed"] = allowed;
  json["on"] = json["refused"] = OrderedJson::object();
  for (const engine::TechniqueField& field : kTechniqueFields) {
    json["on"][std::string(field.name)] = now.*field.on;
    const Status can =
        service.check_techniques(with_one_switched(service.techniques_asked(), field.on));
    if (!can.ok()) json["refused"][std::string(field.name)] = can.message();
  }
  HttpResponse response;
  response.headers = {{"Cache-Control", "no-store"}};
  response.body = dump_json(json);
  return response;
}

}  // namespace

HttpResponse TechniqueSwitches::state() const { return state_of(service_, allowed_); }

void TechniqueSwitches::set(const server::HttpRequest& request,
                            std::shared_ptr<server::Responder> responder) {
  if (!allowed_) {
    return responder->respond(refusal(
        403, "techniques can be switched only where the server was started with --live-switches",
        "switches_off"));
  }
  if (is_of_another_origin(request)) {
    return responder->respond(
        refusal(403, "techniques are switched by this server's own page", "origin_not_allowed"));
  }
  const Result<Techniques> wanted = parse(request.body, service_.techniques());
  if (!wanted.ok()) return responder->respond(refusal(400, wanted.status().message(), "invalid"));
  const Status can = service_.check_techniques(*wanted);
  if (!can.ok()) return responder->respond(refusal(409, can.message(), "cannot_switch"));
  // Nothing of this object: the engine may end after it.
  const auto answer = [&service = service_, allowed = allowed_,
                       responder = std::move(responder)](const Status& status) {
    responder->respond(status.ok() ? state_of(service, allowed)
                                   : refusal(409, status.message(), "engine_busy"));
  };
  service_.set_techniques(*wanted, kPatience, answer);
}

void TechniqueSwitches::restore() {
  const Techniques asked = service_.techniques_asked();
  if (service_.techniques() == asked) return;
  service_.set_techniques(asked, kPatience, [](const Status& status) {
    if (!status.ok())
      log::warn("techniques that the live page has switched off: {}", status.message());
  });
}

}  // namespace orrery::cli
