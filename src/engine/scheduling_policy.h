// SchedulingPolicy: whose turn it is. A policy is a sort key: it ranks a request once, when it
// arrives, and the smaller rank goes first; among equal ranks the earlier arrival. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace orrery::engine {

enum class PolicyKind : uint8_t {
  kFcfs,      // first come, first served
  kPriority,  // by Request::priority, the smaller first
  kFair,      // tenants share the work by their weights
};

struct TenantWeight {
  uint32_t tenant = 0;
  int32_t weight = 1;  // at least 1; 1 for tenants not named
};

class SchedulingPolicy {
 public:
  virtual ~SchedulingPolicy() = default;
  // Charges the request to its tenant; returns its rank.
  virtual uint64_t on_arrival(const Request& request) = 0;
  // Whether `later` may be admitted before `first`, which stands before it, because more of it is
  // in the prefix cache.
  virtual bool may_pass(const Request& /*later*/, const Request& /*first*/) const { return true; }
  virtual void on_admitted(const Request& /*request*/) {}
  virtual void on_finished(const Request& /*request*/) {}
};

std::unique_ptr<SchedulingPolicy> make_policy(PolicyKind kind,
                                              const std::vector<TenantWeight>& weights);

}  // namespace orrery::engine
