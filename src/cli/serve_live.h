// The live page of `orrery serve`: "/" and "/live/*".
#pragma once

#include <memory>

#include "live/hub.h"
#include "llm/service.h"
#include "server/http_server.h"

namespace orrery::cli {

struct LivePageOptions {
  bool has_keys = false;
  live::LiveText text = live::LiveText::kOn;
  bool switches = false;  // who watches may switch techniques off; they go back on when nobody does
};

// Adds the routes; before the server's start. The hub must outlive the server's run, all others the
// hub. Without API keys only names of this machine are answered: a page elsewhere whose name was
// made to point here must not read along.
std::unique_ptr<live::Hub> add_live_page(server::HttpServer& http, llm::Service& service,
                                         trace::EventRing& ring, const LivePageOptions& options);

}  // namespace orrery::cli
