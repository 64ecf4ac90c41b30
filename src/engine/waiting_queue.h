// WaitingQueue: the requests that wait, in the order of their keys.
//
// A sorted array of pointers, the first at the end: taking from the front moves next to nothing, an
// arrival among 10,000 moves 80 kB. Does not own the requests. One thread.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/request.h"

namespace orrery::engine {

class WaitingQueue {
 public:
  size_t size() const { return queue_.size(); }
  bool empty() const { return queue_.empty(); }
  Request& operator[](size_t place) { return *queue_[queue_.size() - 1 - place]; }
  const Request& operator[](size_t place) const { return *queue_[queue_.size() - 1 - place]; }

  // Makes room, so that inserting up to `size` requests allocates nothing.
  void reserve(size_t size) {
    if (size > queue_.capacity()) queue_.reserve(2 * size);
  }
  void insert(Request& request) { queue_.insert(place_of(request), &request); }
  void erase(const Request& request) {
    const auto place = place_of(request);
    CHECK(place != queue_.end() && *place == &request) << "request " << request.id;
    queue_.erase(place);
  }

 private:
  std::vector<Request*>::iterator place_of(const Request& request) {
    return std::lower_bound(queue_.begin(), queue_.end(), request.key,
                            [](const Request* r, const QueueKey& key) { return r->key > key; });
  }
  std::vector<Request*> queue_;  // descending
};

}  // namespace orrery::engine
