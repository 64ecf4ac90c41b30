// The technique switches of the live page: /live/techniques.
#pragma once

#include "llm/service.h"
#include "server/http_responder.h"

namespace orrery::cli {

// Turns the engine's techniques off and on for who watches. Any thread.
class TechniqueSwitches {
 public:
  // The service must outlive it. Not `allowed`: it tells, but switches nothing.
  TechniqueSwitches(llm::Service& service, bool allowed) : service_(service), allowed_(allowed) {}

  // {"allowed": bool, "on": {name: bool}, "refused": {name: why the engine cannot switch it}}.
  server::HttpResponse state() const;
  // The body names techniques and says for each whether it is to be on; the others stay. Answers
  // with state() when it is done: 400 (body), 403 (not allowed), 409 (the engine cannot, or other
  // requests did not end in time).
  void set(const server::HttpRequest& request, std::shared_ptr<server::Responder> responder);
  // Back to what the operator asked for, if it is not so already.
  void restore();

 private:
  llm::Service& service_;
  const bool allowed_;
};

}  // namespace orrery::cli
