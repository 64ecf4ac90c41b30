// The model that is embedded in the binary: the files of models/demo.
#pragma once

#include <memory>
#include <string_view>

#include "base/files.h"

namespace orrery::llm {

inline constexpr std::string_view kDemoModel = "demo";

std::unique_ptr<FileSource> demo_files();

}  // namespace orrery::llm
