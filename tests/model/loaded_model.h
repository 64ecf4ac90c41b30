// For tests: a checkpoint under tests/golden/models made ready on given kernels.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/runner.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/isa.h"
#include "model/registry.h"

namespace orrery {

inline std::string golden_models_dir() { return ORRERY_SOURCE_DIR "/tests/golden/models"; }

struct LoadedModel {
  std::unique_ptr<weights::Checkpoint> checkpoint;
  std::unique_ptr<model::Model> model;
};

inline LoadedModel load_for_test(const std::string& path, int64_t max_model_len,
                                 const kernels::Kernels& kernels) {
  LoadedModel loaded;
  auto checkpoint = weights::Checkpoint::open(path);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  if (!checkpoint.ok()) return loaded;
  loaded.checkpoint = std::make_unique<weights::Checkpoint>(std::move(checkpoint).value());
  auto config = model::parse_model_config(loaded.checkpoint->config(), path);
  EXPECT_TRUE(config.ok()) << config.status().message();
  if (!config.ok()) return loaded;
  config->max_model_len = max_model_len;
  auto model = model::load_model(*loaded.checkpoint, *config, kernels);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (model.ok()) loaded.model = std::move(model).value();
  return loaded;
}

// Every kernel table this machine can run, with the reference.
inline std::vector<std::string> usable_tables() {
  std::vector<std::string> names = {"reference"};
  const auto isas = kernels::cpu::isas();  // the best first
  for (auto isa = isas.rbegin(); isa != isas.rend(); ++isa) {
    if (isa->usable) names.emplace_back(isa->name);
  }
  return names;
}

inline std::unique_ptr<kernels::Kernels> make_kernels_for_test(const std::string& table,
                                                               int threads) {
  if (table == "reference") return kernels::make_reference_kernels();
  auto made = kernels::cpu::make_cpu_kernels(table, threads);
  EXPECT_TRUE(made.ok()) << made.status().message();
  return made.ok() ? std::move(made).value() : nullptr;
}

}  // namespace orrery
