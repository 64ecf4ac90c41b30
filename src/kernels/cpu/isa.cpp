#include "kernels/cpu/isa.h"

#include <cpuid.h>

#include <array>
#include <cstdlib>

namespace orrery::kernels::cpu {
namespace {

struct Features {
  bool avx2 = false, avx512 = false, avx512vnni = false, avx512bf16 = false;
};

// Which register state the operating system saves (XCR0).
uint64_t saved_state() {
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | static_cast<uint64_t>(high) << 32;
}

Features ask_cpu() {
  Features found;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  constexpr uint32_t kFma = 1U << 12, kXsave = 1U << 27, kAvx = 1U << 28, kF16c = 1U << 29;
  if ((c & (kFma | kXsave | kAvx | kF16c)) != (kFma | kXsave | kAvx | kF16c)) return found;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xE6;  // SSE and AVX; those and the three of AVX-512
  const uint64_t saved = saved_state();
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  constexpr uint32_t kAvx2 = 1U << 5;
  constexpr uint32_t kAvx512 = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;  // F, DQ, BW, VL
  found.avx2 = (saved & kYmm) == kYmm && (b & kAvx2) != 0;
  constexpr uint32_t kAvx512Vnni = 1U << 11;
  found.avx512 = found.avx2 && (saved & kZmm) == kZmm && (b & kAvx512) == kAvx512;
  found.avx512vnni = found.avx512 && (c & kAvx512Vnni) != 0;
  constexpr uint32_t kAvx512Bf16 = 1U << 5;
  found.avx512bf16 = found.avx512 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 &&
                     (a & kAvx512Bf16) != 0;
  return found;
}

const Features& features() {
  static const Features found = ask_cpu();
  return found;
}

std::string names() {
  std::string list;
  for (const Isa& isa : isas()) {
    if (isa.usable) list += (list.empty() ? "" : ", ") + std::string(isa.name);
  }
  return list;
}

}  // namespace

std::span<const Isa> isas() {
  static const std::array<Isa, 4> all = [] {
    return std::array<Isa, 4>{
        {{"avx512vnni", &kAvx512VnniTable, "AVX-512 F, BW, DQ, VL and VNNI", features().avx512vnni},
         {"avx512", &kAvx512Table, "AVX-512 F, BW, DQ and VL", features().avx512},
         {"avx2", &kAvx2Table, "AVX2, FMA and F16C", features().avx2},
         {"scalar", &kScalarTable, "nothing", true}}};
  }();
  return all;
}

const DotProducts* int8_dot_products() {
  return features().avx512vnni ? &kInt8DotProducts : nullptr;
}
const DotProducts* bf16_dot_products() {
  return features().avx512bf16 ? &kBf16DotProducts : nullptr;
}

Result<const CpuTable*> choose_table(std::string_view name) {
  std::string_view origin = "the instruction set asked for";
  if (name.empty()) {
    if (const char* set = std::getenv("ORRERY_CPU_ISA"); set != nullptr) {
      name = set;
      origin = "ORRERY_CPU_ISA";
    }
  }
  for (const Isa& isa : isas()) {
    if (name.empty() && isa.usable) return isa.table;
    if (name != isa.name) continue;
    if (isa.usable) return isa.table;
    return unsupported("{} is '{}', which needs {}; this CPU can run: {}", origin, name, isa.needs,
                       names());
  }
  return invalid_argument(
      "{} is '{}'; expected avx512vnni, avx512, avx2 or scalar, of which this CPU can run: {}",
      origin, name, names());
}

}  // namespace orrery::kernels::cpu
