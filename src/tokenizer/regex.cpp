#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

namespace orrery::tokenizer {
namespace {

// Scratch memory of one thread. The JIT's own 32 KiB stack is too small for long alternations.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 1 << 20, nullptr);
  Scratch() {
    pcre2_set_match_limit(context, 1'000'000);
    pcre2_set_depth_limit(context, 100'000);
    pcre2_set_heap_limit(context, 64 << 10);  // KiB
    if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Scratch() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

std::string error_text(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

Result<Regex> Regex::compile_pcre2(const std::string& pattern, std::string_view where) {
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE,
      &error, &offset, context.get());
  if (code == nullptr) {
    return unsupported("{}: regular expression {}: at offset {}: {}", where, pattern, offset,
                       error_text(error));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT the interpreter runs
  return Regex(std::shared_ptr<void>(
      code, [](void* pointer) { pcre2_code_free(static_cast<pcre2_code*>(pointer)); }));
}

Result<Regex> Regex::compile(std::string_view pattern, std::string_view where) {
  ASSIGN_OR_RETURN(const std::string translated, translate_oniguruma(pattern, where));
  return compile_pcre2(translated, where);
}

Result<Regex::Match> Regex::find(std::string_view text, size_t from) const {
  thread_local Scratch scratch;
  const int rc = pcre2_match(static_cast<const pcre2_code*>(code_.get()),
                             reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                             PCRE2_NO_UTF_CHECK, scratch.data, scratch.context);
  if (rc == PCRE2_ERROR_NOMATCH) return Match{};
  if (rc < 0) {
    return resource_exhausted("the tokenizer's regular expression at byte {} of the text: {}", from,
                              error_text(rc));
  }
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(scratch.data);
  if (range[1] < range[0]) return Match{};  // \K inside a lookahead, which we never translate
  return Match{true, range[0], range[1]};
}

}  // namespace orrery::tokenizer
