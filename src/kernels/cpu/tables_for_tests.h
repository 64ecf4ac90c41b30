// The tables that this machine can test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/cpu/isa.h"

namespace orrery::kernels::cpu {

// The AVX-512 tables over emulated intrinsics (emulated_*_avx2_test.cpp), which need AVX2; null
// where SIMDe was absent from the build.
const CpuTable* emulated_avx512_table();
const CpuTable* emulated_avx512vnni_table();
const CpuTable* emulated_amx_table();
const PairMatmul* emulated_pairs();

inline CpuTable with_pairs(CpuTable table, const char* name, const PairMatmul* pairs) {
  table.name = name;
  table.pairs = pairs;
  return table;
}

inline std::vector<const CpuTable*> tables_to_test() {
  std::vector<const CpuTable*> tables;
  bool avx2 = false;
  for (const Isa& isa : isas()) {
    if (isa.usable) tables.push_back(isa.table);
    if (isa.usable && isa.name == "avx512bf16") {  // whether they are faster or not
      static const CpuTable always = with_pairs(*isa.table, "avx512bf16 always", &kAvx512Bf16Pairs);
      tables.push_back(&always);
    }
    avx2 |= isa.usable && isa.name == "avx2";
  }
  if (!avx2 || emulated_pairs() == nullptr) return tables;
  static const CpuTable bf16 =
      with_pairs(*emulated_avx512vnni_table(), "avx512bf16 emulated", emulated_pairs());
  static const CpuTable amx = with_pairs(*emulated_amx_table(), "amx emulated", emulated_pairs());
  for (const CpuTable* emulated :
       {emulated_avx512_table(), emulated_avx512vnni_table(), &bf16, &amx})
    tables.push_back(emulated);
  return tables;
}

inline std::string test_name(const testing::TestParamInfo<const CpuTable*>& table) {
  std::string name = table.param->name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

}  // namespace orrery::kernels::cpu
