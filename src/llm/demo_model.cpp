#include "llm/demo_model.h"

namespace orrery::llm {

std::span<const EmbeddedFile> demo_file_table();  // made by cmake/embed.cmake from models/demo

std::unique_ptr<FileSource> demo_files() {
  return embedded_files(std::string(kDemoModel), demo_file_table());
}

}  // namespace orrery::llm
