#include "cli/serve_live.h"

#include "base/json.h"
#include "cli/serve_techniques.h"
#include "server/routes.h"

namespace orrery::cli {
namespace {

using server::HttpRequest;
using server::HttpResponse;
using server::Responder;

bool names_this_machine(const HttpRequest& request) {
  const std::string* header = request.header("host");
  if (header == nullptr) return true;  // HTTP/1.0: no browser
  std::string_view host = *header;
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) host = host.substr(0, colon);
  const bool is_numeric = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "[::1]" || (host.starts_with("127.") && is_numeric);
}

HttpResponse page_response(int status, std::string_view content_type) {
  HttpResponse response;
  response.status = status;
  response.content_type = content_type;
  response.headers = {{"Content-Security-Policy", std::string(live::kContentSecurityPolicy)},
                      {"Cache-Control", "no-cache"},
                      {"Referrer-Policy", "no-referrer"}};
  return response;
}

}  // namespace

std::unique_ptr<live::Hub> add_live_page(server::HttpServer& http, llm::Service& service,
                                         trace::EventRing& ring, const LivePageOptions& page) {
  live::HubOptions options;
  OrderedJson description = service.description();
  description["vocab_size"] = service.llm().model().config().vocab_size;
  options.description = dump_json(description);
  options.text = page.text;
  if (const tokenizer::Tokenizer* tokenizer = service.llm().tokenizer()) {
    options.token_text = [tokenizer](int32_t id) -> live::TokenText {
      if (tokenizer->is_special(id)) return {std::string(tokenizer->token(id)), true};
      return {tokenizer->token_bytes(id), false};
    };
  }
  options.set_focus = [&service](uint32_t sequence) { service.set_focus(sequence); };
  const auto switches = std::make_shared<TechniqueSwitches>(service, page.switches);
  options.on_unwatched = [switches] { switches->restore(); };
  auto hub = std::make_unique<live::Hub>(ring, std::move(options));

  const auto add = [&](server::Route route, server::Handler handler) {
    route.for_browsers = true;
    route.handler = [has_keys = page.has_keys, handler = std::move(handler)](
                        HttpRequest request, std::shared_ptr<Responder> responder) {
      if (!has_keys && !names_this_machine(request)) {
        return responder->respond(server::error_response(
            403, "without API keys this page answers to names of this machine only",
            "invalid_request_error", "host_not_allowed"));
      }
      handler(std::move(request), std::move(responder));
    };
    http.add_route(std::move(route));
  };
  const auto get = [hub = hub.get()](const HttpRequest& request,
                                     const std::shared_ptr<Responder>& responder) {
    live::Response found = hub->get(request.path, request.query);
    if (found.status == 404) {
      return responder->respond(
          server::error_response(404, "no such route", "invalid_request_error", "not_found"));
    }
    HttpResponse response = page_response(found.status, found.content_type);
    response.body = std::move(found.body);
    responder->respond(std::move(response));
  };
  server::Route route;
  route.method = "GET";
  route.path = "/";
  add(route, get);
  route.path = "/live/techniques";
  add(route, [switches](const HttpRequest&, const std::shared_ptr<Responder>& responder) {
    responder->respond(switches->state());
  });
  route.path = "/live/events";
  route.on_io_thread = true;
  add(route, [hub = hub.get(), &http](const HttpRequest& request,
                                      std::shared_ptr<Responder> responder) {
    const std::shared_ptr<live::Viewer> viewer = hub->watch(request.query);
    server::stream_from(http, std::move(responder), page_response(200, "application/octet-stream"),
                        [viewer] { return viewer->next(); });
  });
  route.path = "/live/";
  route.on_io_thread = false;
  route.prefix = true;
  add(route, get);
  route.path = "/live/techniques";
  route.prefix = false;
  route.method = "POST";
  route.json_body = true;
  add(route, [switches](const HttpRequest& request, std::shared_ptr<Responder> responder) {
    switches->set(request, std::move(responder));
  });
  return hub;
}

}  // namespace orrery::cli
