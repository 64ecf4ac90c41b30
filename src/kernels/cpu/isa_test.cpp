#include "kernels/cpu/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/cpu/cpu_kernels.h"

namespace orrery::kernels::cpu {
namespace {

// Sets ORRERY_CPU_ISA for a test and restores it.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    if (const char* before = std::getenv("ORRERY_CPU_ISA")) before_ = before;
    setenv("ORRERY_CPU_ISA", value, 1);
  }
  ~IsaVariable() {
    if (before_.empty())
      unsetenv("ORRERY_CPU_ISA");
    else
      setenv("ORRERY_CPU_ISA", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

TEST(Isa, ListsAllTablesAndScalarIsAlwaysUsable) {
  std::vector<std::string_view> names;
  for (const Isa& isa : isas()) names.push_back(isa.name);
  EXPECT_THAT(names, testing::ElementsAre("amx", "avx512bf16", "avx512vnni", "avx512", "avxvnni",
                                          "avx2", "scalar"));
  EXPECT_TRUE(isas().back().usable);
  for (const Isa& isa : isas()) EXPECT_EQ(isa.table->name, isa.name);
}

TEST(Isa, ForcesATableOrRefusesItNamingWhatTheCpuHas) {
  for (const Isa& isa : isas()) {
    const auto chosen = choose_table(isa.name);
    EXPECT_EQ(chosen.ok(), isa.usable);
    if (chosen.ok()) {
      EXPECT_EQ(*chosen, isa.table);
    } else {
      EXPECT_EQ(chosen.status().code(), StatusCode::kUnsupported);
      EXPECT_THAT(chosen.status().message(), testing::HasSubstr(std::string(isa.needs)));
      EXPECT_THAT(chosen.status().message(), testing::HasSubstr("scalar"));
    }
  }
  EXPECT_EQ(choose_table("sse9").status().code(), StatusCode::kInvalidArgument);
}

TEST(Isa, TakesTheBestTableUnlessTheEnvironmentNamesOne) {
  {
    const IsaVariable none("");
    unsetenv("ORRERY_CPU_ISA");
    const auto best = std::ranges::find_if(isas(), [](const Isa& isa) { return isa.usable; });
    EXPECT_EQ(*choose_table(""), best->table);
  }
  const IsaVariable scalar("scalar");
  EXPECT_EQ(*choose_table(""), &kScalarTable);
  const IsaVariable wrong("mmx");
  EXPECT_THAT(choose_table("").status().message(), testing::HasSubstr("ORRERY_CPU_ISA"));
  EXPECT_TRUE(choose_table("scalar").ok()) << "what is asked for goes before the environment";
}

TEST(Isa, KernelsCarryTheNameOfTheirTable) {
  const auto kernels = make_cpu_kernels("scalar", 1);
  ASSERT_TRUE(kernels.ok());
  EXPECT_EQ((*kernels)->name(), "scalar");
  EXPECT_EQ(make_cpu_kernels("scalar", -1).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace orrery::kernels::cpu
