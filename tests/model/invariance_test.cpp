// A request's logits are the same bits whether its prompt is computed whole, in chunks of any size
// or token by token, on one thread or several, on every table of kernels that the machine has.
#include <cstring>

#include "model/loaded_model.h"

namespace orrery {
namespace {

std::vector<int32_t> random_ids(size_t count, int64_t vocab) {
  std::vector<int32_t> ids(count);
  uint32_t state = 12345;
  for (int32_t& id : ids) {
    state = state * 1664525 + 1013904223;
    id = static_cast<int32_t>((state >> 8) % static_cast<uint32_t>(vocab));
  }
  return ids;
}

// Logits of every position, the ids fed in chunks of the given sizes (the last repeats).
std::vector<float> logits_in_chunks(const model::Model& model, kernels::Kernels& kernels,
                                    DType kv_dtype, std::span<const int32_t> ids,
                                    const std::vector<size_t>& chunks) {
  auto runner = engine::Runner::create(model, kernels, kv_dtype, static_cast<int64_t>(ids.size()));
  EXPECT_TRUE(runner.ok());
  std::vector<float> all;
  for (size_t at = 0, chunk = 0; at < ids.size(); ++chunk) {
    const size_t count = std::min(chunks[std::min(chunk, chunks.size() - 1)], ids.size() - at);
    const auto logits = runner->append(ids.subspan(at, count), engine::LogitsOf::kEveryToken);
    EXPECT_TRUE(logits.ok());
    all.insert(all.end(), logits->f32().begin(), logits->f32().end());
    at += count;
  }
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The plain loops take seconds where the vector tables take milliseconds: they get fewer cases.
bool is_slow(const std::string& table) { return table == "reference" || table == "scalar"; }

std::vector<int> threads_to_try(const std::string& table) {
  if (table == "reference") return {1};
  return is_slow(table) ? std::vector<int>{2} : std::vector<int>{1, 2, 3};
}

std::vector<std::vector<size_t>> chunks_to_try(const std::string& table) {
  if (is_slow(table)) return {{1}, {17, 1, 40, 3}};
  return {{75}, {1}, {16}, {17, 1, 40, 3}, {2, 5}, {33}};
}

class Invariance : public testing::TestWithParam<std::string> {};

TEST_P(Invariance, LogitsDoNotDependOnChunksThreadsOrTable) {
  const std::string path = golden_models_dir() + "/" + GetParam();
  const auto reference = kernels::make_reference_kernels();
  const LoadedModel base = load_for_test(path, 256, *reference);
  ASSERT_NE(base.model, nullptr);
  const std::vector<int32_t> ids = random_ids(75, base.model->config().vocab_size);
  for (const DType kv_dtype : {DType::kF32, DType::kBF16, DType::kI8, DType::kF8E4M3}) {
    const std::vector<float> expected =
        logits_in_chunks(*base.model, *reference, kv_dtype, ids, {ids.size()});
    for (const std::string& table : usable_tables()) {
      for (const int threads : threads_to_try(table)) {
        const auto kernels = make_kernels_for_test(table, threads);
        const LoadedModel loaded = load_for_test(path, 256, *kernels);
        for (const std::vector<size_t>& chunks : chunks_to_try(table)) {
          EXPECT_TRUE(
              same_bits(expected, logits_in_chunks(*loaded.model, *kernels, kv_dtype, ids, chunks)))
              << table << ", " << threads << " threads, " << name(kv_dtype)
              << " cache, chunks from " << chunks[0];
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Invariance,
                         testing::Values("llama3", "mistral", "qwen2", "qwen3"),
                         [](const auto& test) { return test.param; });

// Splits longer than kAttentionSplit are merged in the same order, whatever the chunk.
TEST(Invariance, HoldsAcrossAttentionSplits) {
  const std::string path = golden_models_dir() + "/qwen3";
  for (const std::string& table : usable_tables()) {
    if (table == "reference" || table == "scalar")
      continue;  // minutes; their splits are tested in kernels/
    const auto kernels = make_kernels_for_test(table, 2);
    const LoadedModel loaded = load_for_test(path, 2048, *kernels);
    ASSERT_NE(loaded.model, nullptr);
    const std::vector<int32_t> ids =
        random_ids(2 * kernels::kAttentionSplit + 100, loaded.model->config().vocab_size);
    for (const DType kv_dtype : {DType::kBF16, DType::kI8}) {
      const auto expected = logits_in_chunks(*loaded.model, *kernels, kv_dtype, ids, {ids.size()});
      for (const std::vector<size_t>& chunks : {std::vector<size_t>{500, 7, 64}, {1}})
        EXPECT_TRUE(
            same_bits(expected, logits_in_chunks(*loaded.model, *kernels, kv_dtype, ids, chunks)))
            << name(kv_dtype);
    }
  }
}

}  // namespace
}  // namespace orrery
