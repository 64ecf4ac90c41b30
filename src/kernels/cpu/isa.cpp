#include "kernels/cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace orrery::kernels::cpu {
namespace {

struct Features {
  bool avx2 = false, avxvnni = false, avx512 = false, avx512vnni = false, avx512bf16 = false;
  bool amx = false;
};

// Which register state the operating system saves (XCR0).
uint64_t saved_state() {
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | static_cast<uint64_t>(high) << 32;
}

// Linux saves the registers of AMX for those who asked for it once, for all threads of the process.
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
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
  constexpr uint64_t kTiles = 0x60000;                       // their shapes and their data
  constexpr uint32_t kAmx = 1U << 22 | 1U << 24 | 1U << 25;  // BF16, TILE, INT8
  const bool amx = (saved & kTiles) == kTiles && (d & kAmx) == kAmx;
  if (a < 1 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return found;
  constexpr uint32_t kAvxVnni = 1U << 4, kAvx512Bf16 = 1U << 5;
  found.avxvnni = found.avx2 && (a & kAvxVnni) != 0;
  found.avx512bf16 = found.avx512vnni && (a & kAvx512Bf16) != 0;
  found.amx = found.avx512bf16 && amx && may_use_tiles();
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

// Those of an instruction that may be slower than fp32: half as fast on Intel's with AMX.
const PairMatmul& measured_pairs() {
  static const PairMatmul pairs = [] {
    PairMatmul measured = kAvx512Bf16Pairs;
    measured.dots = &kBf16DotProducts;
    return measured;
  }();
  return pairs;
}

// The table under another name, with dot products of bf16 besides those of bytes.
CpuTable with_pairs(CpuTable table, const char* name, const DotProducts& int8,
                    const DotProducts& bf16) {
  table.name = name;
  table.pairs = &measured_pairs();
  table.int8_dots = &int8;
  table.bf16_dots = &bf16;
  return table;
}
CpuTable with_int8(CpuTable table, const DotProducts& int8) {
  table.int8_dots = &int8;
  return table;
}

}  // namespace

std::span<const Isa> isas() {
  static const CpuTable amx = with_pairs(kAmxTable, "amx", kInt8TileProducts, kBf16TileProducts);
  static const CpuTable avx512bf16 =
      with_pairs(kAvx512VnniTable, "avx512bf16", kInt8DotProducts, kBf16DotProducts);
  static const CpuTable avx512vnni = with_int8(kAvx512VnniTable, kInt8DotProducts);
  static const std::array<Isa, 7> all = [] {
    return std::array<Isa, 7>{
        {{"amx", &amx,
          "AVX-512 F, BW, DQ, VL, VNNI and BF16, AMX-TILE, AMX-BF16 and AMX-INT8, and the system's "
          "leave",
          features().amx},
         {"avx512bf16", &avx512bf16, "AVX-512 F, BW, DQ, VL, VNNI and BF16", features().avx512bf16},
         {"avx512vnni", &avx512vnni, "AVX-512 F, BW, DQ, VL and VNNI", features().avx512vnni},
         {"avx512", &kAvx512Table, "AVX-512 F, BW, DQ and VL", features().avx512},
         {"avxvnni", &kAvxVnniTable, "AVX2, FMA, F16C and AVX-VNNI", features().avxvnni},
         {"avx2", &kAvx2Table, "AVX2, FMA and F16C", features().avx2},
         {"scalar", &kScalarTable, "nothing", true}}};
  }();
  return all;
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
      "{} is '{}'; expected amx, avx512bf16, avx512vnni, avx512, avxvnni, avx2 or scalar, of which "
      "this CPU can run: {}",
      origin, name, names());
}

}  // namespace orrery::kernels::cpu
