#include "engine/fair_policy.h"

#include <algorithm>

namespace orrery::engine {

FairPolicy::FairPolicy(const std::vector<TenantWeight>& weights) {
  for (const TenantWeight& w : weights) tenants_[w.tenant].weight = w.weight;
}

// In 1/1024 tokens, so that weights up to a thousand still tell small requests apart.
int64_t FairPolicy::share(int64_t num_tokens, const Tenant& tenant) {
  return num_tokens * 1024 / tenant.weight;
}

uint64_t FairPolicy::on_arrival(const Request& request) {
  Tenant& tenant = tenants_[request.tenant];
  const int64_t start = std::max(virtual_time_, tenant.next_start);
  tenant.next_start = start + share(request.num_prompt_tokens + request.max_tokens, tenant);
  return static_cast<uint64_t>(start);
}

void FairPolicy::on_admitted(const Request& request) {
  virtual_time_ = std::max(virtual_time_, static_cast<int64_t>(request.key.rank));
}

void FairPolicy::on_finished(const Request& request) {
  Tenant& tenant = tenants_[request.tenant];
  tenant.next_start -= share(request.max_tokens - request.num_output_tokens(), tenant);
}

}  // namespace orrery::engine
