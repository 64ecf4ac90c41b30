// FairPolicy: tenants share the work in proportion to their weights, by start-time fair queueing
// (Goyal, Vin, Cheng, SIGCOMM 1996).
//
// A request's rank is the virtual time at which its tenant's earlier requests will have had their
// share: each advances the tenant by its tokens over the tenant's weight. An idle tenant saves
// nothing up: it starts at the virtual time of what was admitted last. Tokens that were asked for
// and not produced are given back when the request ends.
#pragma once

#include <unordered_map>

#include "engine/scheduling_policy.h"

namespace orrery::engine {

class FairPolicy : public SchedulingPolicy {
 public:
  explicit FairPolicy(const std::vector<TenantWeight>& weights);

  uint64_t on_arrival(const Request& request) override;
  void on_admitted(const Request& request) override;
  void on_finished(const Request& request) override;

 private:
  struct Tenant {
    int64_t weight = 1;
    int64_t next_start = 0;  // virtual time
  };
  static int64_t share(int64_t num_tokens, const Tenant& tenant);

  std::unordered_map<uint32_t, Tenant> tenants_;
  int64_t virtual_time_ = 0;
};

}  // namespace orrery::engine
