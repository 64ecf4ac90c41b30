// KeptState: what still matters of events that are no longer kept, as events again.
//
// A page that opens late is given these first: applied in order, they recreate the requests that
// have not ended and the blocks, with the order of eviction. Finished requests are gone. One
// thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "trace/event.h"

namespace orrery::live {

class KeptState {
 public:
  void apply(const trace::Event& event);
  std::vector<trace::Event> snapshot() const;

 private:
  struct Kept {
    trace::Event arrived;
    trace::Event admitted;  // kind as constructed: not admitted, or preempted since
    trace::Event chunk;
    trace::Event waiting;
    trace::Event text;
    bool running = false;
    std::vector<trace::Event> ids;  // prompt tokens, then those sampled
    std::vector<int32_t> table;     // -1: none
  };
  struct Block {
    int32_t users = 0;
    bool cached = false;
    uint64_t freed = 0;  // number of the event, for the order of eviction
    uint32_t owner = 0;
  };

  Kept& request(const trace::Event& event);
  Block* block(int32_t number);
  void take(const trace::Event& event);
  void release(const trace::Event& event);
  void add_free_blocks(std::vector<trace::Event>& out) const;
  void add_request(const Kept& kept, std::vector<int32_t>& users,
                   std::vector<trace::Event>& out) const;

  std::map<uint32_t, Kept> requests_;
  std::vector<Block> blocks_;
  trace::Event techniques_;  // kind as constructed: never switched
  uint64_t num_events_ = 0;
  uint64_t step_ = 0;
};

}  // namespace orrery::live
