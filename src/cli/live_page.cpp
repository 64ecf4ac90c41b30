#include "cli/live_page.h"

#include "server/routes.h"

namespace orrery::cli {
namespace {

server::HttpResponse as_http(live::Response page) {
  server::HttpResponse response;
  response.status = page.status;
  response.content_type = page.content_type;
  response.body = std::move(page.body);
  response.headers = {{"Content-Security-Policy", std::string(live::kContentSecurityPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-store"}};
  return response;
}

live::TokenText text_of(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  if (tokenizer.is_special(id)) return {std::string(tokenizer.token(id)), true};
  return {tokenizer.token_bytes(id), false};
}

}  // namespace

std::unique_ptr<live::Hub> make_live_hub(trace::EventRing& ring, llm::Service& service,
                                         live::LiveText text) {
  live::HubOptions options;
  OrderedJson description = service.description();
  description["vocab_size"] = service.llm().model().config().vocab_size;
  options.description = dump_json(description);
  options.text = text;
  if (const tokenizer::Tokenizer* tokenizer = service.llm().tokenizer()) {
    options.token_text = [tokenizer](int32_t id) { return text_of(*tokenizer, id); };
  }
  options.set_focus = [&service](uint32_t sequence) { service.set_focus(sequence); };
  return std::make_unique<live::Hub>(ring, std::move(options));
}

void add_live_page(server::HttpServer& server, live::Hub& hub) {
  const auto page = [&hub](const server::HttpRequest& request,
                           const std::shared_ptr<server::Responder>& responder) {
    responder->respond(as_http(hub.get(request.path, request.query)));
  };
  for (const char* path : {"/live/snapshot", "/live/range"})
    server.add_route({.method = "GET", .path = path, .handler = page});
  const auto stream = [&server, &hub](const server::HttpRequest& request,
                                      const std::shared_ptr<server::Responder>& responder) {
    const std::shared_ptr<live::Viewer> viewer = hub.watch(request.query);
    live::Response head;
    head.content_type = "application/octet-stream";
    server::stream_from(server, responder, as_http(std::move(head)),
                        [viewer] { return viewer->next(); });
  };
  server.add_route({.method = "GET", .path = "/live/events", .handler = stream});
  // The page itself shows nothing of anybody's; it asks for the key that its streams need.
  server::Route root{.method = "GET", .path = "/", .handler = page};
  root.needs_key = false;
  server.add_route(root);
  server::Route files{.method = "GET", .path = "/live/", .handler = page};
  files.prefix = true;
  files.needs_key = false;
  server.add_route(files);
}

}  // namespace orrery::cli
