// The page's own files, put into the binary by cmake/embed.cmake.
#pragma once

#include <span>
#include <string_view>

#include "base/files.h"

namespace orrery::live {

std::span<const EmbeddedFile> page_file_table();

// By the ending of the name; static.
std::string_view content_type_of(std::string_view name);

}  // namespace orrery::live
