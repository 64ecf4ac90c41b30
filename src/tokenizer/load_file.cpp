#include <filesystem>

#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

// "base64 digits" up to the first line end.
bool looks_like_ranks(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), size_t{1024}));
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return false;
  constexpr std::string_view kBase64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  return line.substr(0, space).find_first_not_of(kBase64) == std::string_view::npos &&
         line.substr(space + 1).find_first_not_of("0123456789\r") == std::string_view::npos;
}

}  // namespace

LoadResult load_any_file(const std::string& path, std::string_view pattern) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const std::string_view text = file.text();
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    const std::filesystem::path beside =
        std::filesystem::path(path).parent_path() / "tokenizer_config.json";
    const Result<MappedFile> config = MappedFile::open(beside.string());
    return load_tokenizer_json(file, config.ok() ? config->text() : std::string_view());
  }
  if (looks_like_ranks(text)) return load_tiktoken(text, pattern, path);
  return load_sentencepiece(file.bytes(), path);
}

}  // namespace orrery::tokenizer
