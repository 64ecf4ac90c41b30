// The live page on the server: what the Hub gives, as routes.
#pragma once

#include <memory>

#include "live/hub.h"
#include "llm/service.h"
#include "server/http_server.h"

namespace orrery::cli {

// Reads `ring`; all must outlive the hub.
std::unique_ptr<live::Hub> make_live_hub(trace::EventRing& ring, llm::Service& service,
                                         live::LiveText text);

// "/" and "/live/*"; before the server's start. The hub must outlive the server's run.
void add_live_page(server::HttpServer& server, live::Hub& hub);

}  // namespace orrery::cli
