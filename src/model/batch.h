// Batch: the flat inputs of one step. Requests stand one after the other; nothing in a model knows
// where one ends.
//
// A fresh one is gathered each step from rows that stay put; vectors keep their capacity, so that a
// warm step allocates nothing. T tokens, R requests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace orrery::model {

struct Batch {
  std::vector<int32_t> token_ids;        // [T]
  std::vector<int32_t> positions;        // [T] of each token in its own sequence, from 0
  std::vector<int64_t> slot_mapping;     // [T] where each token's keys and values go
  std::vector<int32_t> query_start_loc;  // [R + 1] first token of each request
  std::vector<int32_t> seq_lens;         // [R] tokens in the context after this step
  std::vector<int32_t> block_tables;     // [R, max_blocks_per_seq]
  int64_t max_blocks_per_seq = 0;
  std::vector<int32_t> logits_rows;  // tokens (0 .. T−1) whose logits are wanted, ascending

  std::span<kernels::KvCache> kv;  // [n_layers]

  kernels::AttentionBatch attention() const {
    return {query_start_loc, seq_lens, block_tables, max_blocks_per_seq};
  }
  void clear() {
    token_ids.clear();
    positions.clear();
    slot_mapping.clear();
    query_start_loc.assign(1, 0);
    seq_lens.clear();
    block_tables.clear();
    logits_rows.clear();
  }
};

}  // namespace orrery::model
