#include "model/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace orrery::model {
namespace {

struct Architecture {
  std::string_view model_type;
  std::unique_ptr<Model> (*make)(const ModelConfig&, const weights::Weights&);
};

constexpr std::array<Architecture, 4> kArchitectures = {{
    {"llama", make_llama},
    {"mistral", make_mistral},
    {"qwen2", make_qwen2},
    {"qwen3", make_qwen3},
}};

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) names.push_back(architecture.model_type);
  return names;
}

Status check_architecture(std::string_view model_type) {
  const std::vector<std::string_view> known = known_architectures();
  if (std::find(known.begin(), known.end(), model_type) != known.end()) return {};
  return unsupported("model_type: expected one of {}, got \"{}\"", fmt::join(known, ", "),
                     model_type);
}

Result<std::unique_ptr<Model>> load_model(const weights::Checkpoint& checkpoint,
                                          const ModelConfig& config,
                                          const kernels::Kernels& kernels,
                                          const std::function<void(double)>& progress,
                                          std::optional<DType> quantise_to,
                                          weights::PackCache* cache) {
  // Of a cache that is being written, the end of it, until the disk has everything.
  const double share = cache != nullptr && cache->writing() ? 0.9 : 1;
  const auto report = [&](double fraction) {
    if (progress) progress(fraction);
  };
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type != config.model_type) continue;
    weights::WeightLoader loader(
        checkpoint, kernels, [&](double packed) { report(packed * share); }, quantise_to, cache);
    auto model = architecture.make(config, loader.root());
    RETURN_IF_ERROR(loader.status());
    if (cache != nullptr) cache->finish();
    if (share < 1) report(1);
    return model;
  }
  return check_architecture(config.model_type);
}

}  // namespace orrery::model
