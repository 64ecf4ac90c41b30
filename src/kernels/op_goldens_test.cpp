// The definition against inputs and outputs of vLLM's operators.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/json.h"
#include "base/test_data.h"
#include "kernels/kernels.h"
#include "kernels/npy_for_tests.h"
#include "kernels/weights_for_tests.h"

namespace orrery::kernels {
namespace {

struct Golden {
  explicit Golden(const std::string& name) {
    const std::string dir = test_data_dir() + "/op_goldens/" + name + "/";
    std::ifstream file(dir + "manifest.json");
    manifest = Json::parse(file);
    for (const auto& [key, tensor] : manifest["tensors"].items())
      arrays[key] = read_npy(dir + tensor["file"].get<std::string>(), tensor["dtype"]);
  }
  const Json& args() const { return manifest["args"]; }
  std::vector<float>& operator[](const std::string& key) { return arrays.at(key).values; }

  void expect(const std::string& key, const std::vector<float>& got) {
    const std::vector<float>& expected = (*this)[key];
    ASSERT_EQ(got.size(), expected.size()) << key;
    const double atol = manifest["tol"]["atol"], rtol = manifest["tol"]["rtol"];
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], atol + rtol * std::abs(static_cast<double>(expected[i])))
          << key << " element " << i;
  }

  Json manifest;
  std::map<std::string, Npy> arrays;
};

class OpGoldens : public testing::Test {
 protected:
  // Gemma's weights are stored as w − 1.
  std::vector<float> norm(std::vector<float>& x, std::vector<float> weight, double eps,
                          bool gemma) {
    for (float& w : weight) w += gemma ? 1.0F : 0.0F;
    std::vector<float> out(x.size());
    const auto cols = static_cast<int64_t>(weight.size());
    const Shape shape{static_cast<int64_t>(x.size()) / cols, cols};
    kernels_->rms_norm(view(x, shape), weight, static_cast<float>(eps), view(out, shape));
    return out;
  }

  // Rotates x [T, heads, d] by rows of the cache [positions, r].
  void rotate(std::vector<float>& x, int64_t head_dim, const std::vector<float>& positions,
              const std::vector<float>& cache, int64_t rotary_dim) {
    std::vector<float> cos_sin;
    for (const float position : positions) {
      const auto* row = cache.data() + static_cast<int64_t>(position) * rotary_dim;
      cos_sin.insert(cos_sin.end(), row, row + rotary_dim);
    }
    const auto tokens = static_cast<int64_t>(positions.size());
    const int64_t heads = static_cast<int64_t>(x.size()) / tokens / head_dim;
    kernels_->rope(view(x, {tokens, heads, head_dim}), view(cos_sin, {tokens, rotary_dim}));
  }

  // The cache of plain rotary embeddings, computed in double.
  static std::vector<float> plain_cache(int64_t positions, int64_t rotary_dim, double base) {
    std::vector<float> cache;
    for (int64_t p = 0; p < positions; ++p) {
      for (const bool sine : {false, true}) {
        for (int64_t i = 0; i < rotary_dim / 2; ++i) {
          const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim);
          const double angle = static_cast<double>(p) * std::pow(base, exponent);
          cache.push_back(static_cast<float>(sine ? std::sin(angle) : std::cos(angle)));
        }
      }
    }
    return cache;
  }

  std::unique_ptr<Kernels> kernels_ = make_reference_kernels();
};

TEST_F(OpGoldens, RmsNorm) {
  SKIP_WITHOUT_DATA();
  for (const char* name : {"rmsnorm_f32_8x128", "rmsnorm_bf16_8x128", "rmsnorm_gemma_bf16_8x128"}) {
    SCOPED_TRACE(name);
    Golden golden(name);
    golden.expect(
        "out", norm(golden["x"], golden["weight"], golden.args()["eps"], golden.args()["gemma"]));
  }
}

// Left out: long_rope_*_gptj_* rotate neighbours (2i, 2i + 1) and long_rope_yarn_mrope_* takes
// three positions per token; no architecture here does either.
TEST_F(OpGoldens, RopeWithGivenAngles) {
  SKIP_WITHOUT_DATA();
  for (const char* name :
       {"long_rope_dynamic_factor1_neox_f32", "long_rope_llama3_neox_f32_equal_factors",
        "long_rope_phi3_neox_bf16_long", "long_rope_phi3_neox_f32_mscale_override",
        "long_rope_yarn_neox_f32_truncate"}) {
    SCOPED_TRACE(name);
    Golden golden(name);
    // LongRoPE keeps the short factors' rows before the long ones, which begin at the original
    // length.
    const Json& parameters = golden.args()["rope_parameters"];
    std::vector<float> positions = golden["positions"];
    const auto& cache = golden.arrays.at("cos_sin_cache");
    if (parameters["rope_type"] == "longrope" &&
        golden.args()["max_model_len"] > parameters["original_max_position_embeddings"])
      for (float& p : positions) p += parameters["original_max_position_embeddings"].get<float>();
    for (const std::string which : {"q", "k"}) {
      std::vector<float> x = golden[which + "_in"];
      rotate(x, golden.args()["head_size"], positions, cache.values, cache.shape[1]);
      golden.expect(which + "_out", x);
    }
  }
}

TEST_F(OpGoldens, RopeAtPosition131000) {
  SKIP_WITHOUT_DATA();
  Golden golden("rope_f32_pos_131k");
  const int64_t rotary_dim = golden.args()["rotary_dim"];
  const auto last = *std::ranges::max_element(golden["positions"]);
  const auto cache = plain_cache(static_cast<int64_t>(last) + 1, rotary_dim, golden.args()["base"]);
  for (const std::string which : {"q", "k"}) {
    std::vector<float> x = golden[which + "_in"];
    rotate(x, golden.args()["head_size"], golden["positions"], cache, rotary_dim);
    golden.expect(which + "_out", x);
  }
}

TEST_F(OpGoldens, NormRopeAndAttentionOfALayer) {
  SKIP_WITHOUT_DATA();
  Golden golden("dense_attention_f32_small");
  const int64_t d = golden.args()["head_dim"], heads = golden.args()["num_q_heads"];
  const int64_t kv_heads = golden.args()["num_kv_heads"], rotary_dim = golden.args()["rotary_dim"];
  const double eps = golden.args()["eps"];
  const auto tokens = static_cast<int64_t>(golden["positions"].size());
  std::vector<float> q = norm(golden["q"], golden["q_norm_weight"], eps, true);
  std::vector<float> k = norm(golden["k"], golden["k_norm_weight"], eps, true);
  const auto angles = plain_cache(tokens, rotary_dim, golden.args()["base"]);
  rotate(q, d, golden["positions"], angles, rotary_dim);
  rotate(k, d, golden["positions"], angles, rotary_dim);

  KvCache cache{DType::kF32, 1, kv_heads, d, nullptr, nullptr};
  std::vector<std::byte> keys(static_cast<size_t>(cache.block_bytes())), values(keys.size());
  cache.keys = keys.data();
  cache.values = values.data();
  const std::vector<int64_t> slots = {0, 1, 2, 3, 4, 5};
  kernels_->store_kv(view(k, {tokens, kv_heads, d}), view(golden["v"], {tokens, kv_heads, d}),
                     slots, cache);
  const std::vector<int32_t> query_start_loc = {0, 6}, seq_lens = {6}, block_tables = {0};
  std::vector<float> attn(q.size());
  kernels_->paged_attention(view(q, {tokens, heads, d}), cache,
                            {query_start_loc, seq_lens, block_tables, 1}, golden.args()["scale"], 0,
                            view(attn, {tokens, heads, d}));
  golden.expect("attn", attn);
}

}  // namespace
}  // namespace orrery::kernels
