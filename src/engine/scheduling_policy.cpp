#include "engine/scheduling_policy.h"

#include "engine/fair_policy.h"

namespace orrery::engine {
namespace {

class FcfsPolicy : public SchedulingPolicy {
  uint64_t on_arrival(const Request&) override { return 0; }
};

class PriorityPolicy : public SchedulingPolicy {
  uint64_t on_arrival(const Request& request) override {
    return static_cast<uint64_t>(int64_t{request.priority} - INT32_MIN);
  }
  bool may_pass(const Request& later, const Request& first) const override {
    return later.key.rank == first.key.rank;
  }
};

}  // namespace

std::unique_ptr<SchedulingPolicy> make_policy(PolicyKind kind,
                                              const std::vector<TenantWeight>& weights) {
  switch (kind) {
    case PolicyKind::kFcfs:
      return std::make_unique<FcfsPolicy>();
    case PolicyKind::kPriority:
      return std::make_unique<PriorityPolicy>();
    case PolicyKind::kFair:
      return std::make_unique<FairPolicy>(weights);
  }
  return nullptr;
}

}  // namespace orrery::engine
