// Generated tables behind jinja/unicode.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace orrery::jinja {

struct CodePointRange {
  uint32_t first, last;
  uint8_t stride;  // 1, or 2 where cases alternate
};
struct CaseRange {
  uint32_t first, last;
  uint8_t stride;
  int32_t delta;
};
struct CaseSpecial {
  uint32_t code_point;
  const char* utf8;  // more than one character
};

extern const CodePointRange kAlpha[], kDecimal[], kDigit[], kNumeric[], kUnprintable[], kUpper[],
    kLower[], kCaseIgnorable[];
extern const size_t kAlpha_size, kDecimal_size, kDigit_size, kNumeric_size, kUnprintable_size,
    kUpper_size, kLower_size, kCaseIgnorable_size;
extern const CaseRange kToUpper[], kToLower[], kToTitle[];
extern const size_t kToUpper_size, kToLower_size, kToTitle_size;
extern const CaseSpecial kToUpperSpecial[], kToLowerSpecial[], kToTitleSpecial[];
extern const size_t kToUpperSpecial_size, kToLowerSpecial_size, kToTitleSpecial_size;

}  // namespace orrery::jinja
