// Context: what a forward pass works with: the device's kernels and scratch memory for activations.
//
// Tensors that the operations return live until the Scope in which they were made ends. The scratch
// memory grows on first use and stays, so that a warm pass allocates nothing. One thread at a time.
#pragma once

#include <memory>
#include <vector>

#include "kernels/kernels.h"
#include "model/batch.h"
#include "model/rope.h"

namespace orrery::model {

// A stack of fp32 memory in a few large chunks.
class Arena {
 public:
  struct Mark {
    size_t chunk = 0;
    size_t used = 0;
  };
  float* allocate(size_t elements);
  Mark mark() const { return {chunk_, used_}; }
  void release(Mark mark) {
    chunk_ = mark.chunk;
    used_ = mark.used;
  }
  size_t bytes() const;

 private:
  std::vector<Buffer> chunks_;
  size_t chunk_ = 0;  // the one in use
  size_t used_ = 0;   // bytes of it
};

class Context {
 public:
  explicit Context(kernels::Kernels& kernels) : kernels_(kernels) {}

  // Releases, at the end of its life, everything allocated since its beginning.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Scope() { arena_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    Arena::Mark mark_;
  };
  [[nodiscard]] Scope scope() { return Scope(arena_); }
  Tensor allocate(Shape shape) {
    return {DType::kF32, shape, arena_.allocate(static_cast<size_t>(shape.elements()))};
  }

  kernels::Kernels& kernels() { return kernels_; }
  size_t scratch_bytes() const { return arena_.bytes(); }

  // The operations of kernels.h that need no weights; those with weights are members of their
  // layers (model/layers.h).
  Tensor rope_angles(const Rope& rope, std::span<const int32_t> positions) {
    Tensor cos_sin = allocate({static_cast<int64_t>(positions.size()), rope.dim()});
    rope.angles(positions, cos_sin);
    return cos_sin;
  }
  // Rotates q and k in place and stores k and v in their slots of the layer's cache.
  // q [T, H, d], k and v [T, K, d]
  void rope_and_store_kv(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cos_sin,
                         Batch& batch, int64_t layer) {
    kernels_.rope_and_store_kv(q, k, v, cos_sin, batch.slot_mapping,
                               batch.kv[static_cast<size_t>(layer)]);
  }
  // Of queries [T, H, d] to what is stored → [T, H·d]
  Tensor paged_attention(const Tensor& q, const Batch& batch, int64_t layer, int64_t window);
  Tensor gather_rows(const Tensor& x, std::span<const int32_t> rows) {
    Tensor out = allocate({static_cast<int64_t>(rows.size()), x.cols()});
    kernels_.gather_rows(x, rows, out);
    return out;
  }

 private:
  kernels::Kernels& kernels_;
  Arena arena_;
};

}  // namespace orrery::model
