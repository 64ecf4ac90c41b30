#include "cli/ablation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/ablation_workloads.h"
#include "kernels/cpu/cpu_kernels.h"
#include "model/registry.h"
#include "weights/open_checkpoint.h"

namespace orrery::cli {
namespace {

using testing::HasSubstr;

const AblationRow& row_of(const std::vector<AblationRow>& rows, std::string_view technique,
                          std::string_view measure) {
  for (const AblationRow& row : rows) {
    if (row.technique == technique && row.measure.find(measure) != std::string::npos) return row;
  }
  ADD_FAILURE() << "no row " << technique << ", " << measure;
  return rows.front();
}

AblationSizes small() {
  AblationSizes s{};
  s.pieces = 3.5;
  s.max_model_len = 64;
  s.paging_requests = 24;
  s.paging_prompt = 6;
  s.paging_output = 10;
  s.num_batches = 2;
  s.batch_output = 3;
  s.kv_requests = 2;
  s.kv_prompt = 8;
  s.kv_output = 8;
  s.prefix_groups = 2;
  s.prefix_members = 4;
  s.prefix_shared = 48;
  s.prefix_own = 3;
  s.prefix_output = 2;
  s.attention_prompt = 96;
  s.attention_output = 2;
  s.scheduler_requests = 2000;
  s.scheduler_batches = 50;
  return s;
}

TEST(Ablation, TheSchedulerAloneReproducesWhatThePapersSay) {
  const auto rows = run_ablation_of_scheduler(small());
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  const AblationRow& held = row_of(*rows, "paging", "ShareGPT");
  EXPECT_NEAR(held.off, 7, 0.01);  // pieces of 2,048 in 15,700 slots
  EXPECT_NEAR(held.on, 31, 4);
  const AblationRow& used = row_of(*rows, "paging", "KV memory in use");
  EXPECT_LT(used.off, 38);
  EXPECT_GT(used.on, 92);  // the rest: see the row's note
  for (const auto& [batch, h] : {std::pair{4, 2.08}, {8, 2.72}, {16, 3.38}, {32, 4.06}}) {
    EXPECT_NEAR(row_of(*rows, "continuous batching", fmt::format("batch {}", batch)).ratio, h,
                0.1 * h);
  }
}

// One run on a tiny model, which the tests below look at.
class AblationOfAModel : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto checkpoint =
        weights::open_checkpoint(std::string(ORRERY_SOURCE_DIR) + "/tests/golden/models/llama3");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    auto config = model::parse_model_config(checkpoint->config(), checkpoint->name());
    ASSERT_TRUE(config.ok()) << config.status().message();
    using kernels::cpu::AttentionMethod;
    auto flash = kernels::cpu::make_cpu_kernels("", 1);
    auto materialised =
        kernels::cpu::make_cpu_kernels("", 1, {.attention = AttentionMethod::kMaterialised});
    ASSERT_TRUE(flash.ok() && materialised.ok());
    auto model = model::load_model(*checkpoint, *config, **flash, {});
    ASSERT_TRUE(model.ok()) << model.status().message();
    auto rows = run_ablation({**model, **flash, **materialised, DType::kF32}, small(), 0, {});
    ASSERT_TRUE(rows.ok()) << rows.status().message();
    rows_ = new std::vector<AblationRow>(std::move(rows).value());
  }
  static void TearDownTestSuite() { delete rows_; }
  static const AblationRow& row(std::string_view technique, std::string_view measure) {
    return row_of(*rows_, technique, measure);
  }

  static std::vector<AblationRow>* rows_;
};
std::vector<AblationRow>* AblationOfAModel::rows_ = nullptr;

TEST_F(AblationOfAModel, WhatDoesNotDependOnTimeIsRight) {
  ASSERT_NE(rows_, nullptr);
  const AblationRow& held = row("paging", "requests at once, this model");
  EXPECT_NEAR(held.off, 3, 0.01);  // whole pieces in memory for three and a half
  EXPECT_GT(held.on, 1.5 * held.off);
  const AblationRow& used = row("paging", "KV memory in use of reserved, this model");
  const AblationRow& wasted = row("paging", "KV memory wasted");
  EXPECT_GT(wasted.off, 2 * wasted.on);
  EXPECT_LT(used.off, 50);
  EXPECT_GT(used.on, 1.5 * used.off);
  // Eight tokens each: prompts of 8 to 15 against 8 and seven single ones.
  const AblationRow& computed = row("KV cache", "tokens computed");
  EXPECT_EQ(computed.off, 2 * (8 + 9 + 10 + 11 + 12 + 13 + 14 + 15));
  EXPECT_EQ(computed.on, 2 * (8 + 7));
  // 51 tokens and one more step; three blocks are found by all but the first of each group.
  const AblationRow& prefix = row("prefix cache", "tokens computed");
  EXPECT_EQ(prefix.off, 8 * 52);
  EXPECT_EQ(prefix.on, 8 * 52 - 6 * 48);
  EXPECT_GT(row("flash attention", "peak memory").ratio, 1.5);
  EXPECT_GT(row("all together", "tokens a step").ratio, 1.5);
}

TEST_F(AblationOfAModel, TheJsonHoldsEachTechniqueOffAndOn) {
  ASSERT_NE(rows_, nullptr);
  const OrderedJson json = ablation_json(*rows_);
  std::set<std::string> techniques;
  for (const OrderedJson& entry : json) {
    techniques.insert(entry["technique"].get<std::string>());
    EXPECT_TRUE(entry["measure"].is_string());
    EXPECT_GT(entry["off"].get<double>(), 0) << entry;
    EXPECT_GT(entry["on"].get<double>(), 0) << entry;
    const double better = entry["better"] == "more"
                              ? entry["on"].get<double>() / entry["off"].get<double>()
                              : entry["off"].get<double>() / entry["on"].get<double>();
    EXPECT_NEAR(entry["ratio"].get<double>(), better, 1e-9) << entry;
    EXPECT_TRUE(entry["published"].is_null() || entry["reproduces"].is_boolean()) << entry;
  }
  EXPECT_THAT(techniques,
              testing::UnorderedElementsAre("paging", "flash attention", "KV cache", "prefix cache",
                                            "continuous batching", "all together"));
}

size_t width(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST_F(AblationOfAModel, TheTableFitsInAHundredColumns) {
  ASSERT_NE(rows_, nullptr);
  const std::string table = ablation_table(*rows_);
  for (size_t at = 0; at < table.size();) {
    const size_t end = table.find('\n', at);
    EXPECT_LE(width(std::string_view(table).substr(at, end - at)), 100U) << table;
    at = end + 1;
  }
}

TEST(AblationReport, ARatioThatDoesNotReproduceIsReportedWithItsCause) {
  AblationRow row;
  row.technique = "all together";
  row.measure = "throughput <fast>";
  row.basis = "time";
  row.off = 100;
  row.on = 300;
  row.ratio = 3;
  row.published = Published{23, "23 ×"};
  row.note = "Because.";
  const std::string table = ablation_table({row});
  EXPECT_THAT(table, HasSubstr("Not reproduced. Because."));
  EXPECT_THAT(table, HasSubstr("0 of 1 published ratios reproduce"));
  EXPECT_EQ(ablation_json({row})[0]["reproduces"], false);
  row.ratio = 22;
  EXPECT_THAT(ablation_table({row}), HasSubstr("1 of 1 published ratios reproduce"));
  const std::string plot = ablation_plot({row}, "a & b");
  EXPECT_THAT(plot, HasSubstr("throughput &lt;fast>"));
  EXPECT_THAT(plot, HasSubstr("a &amp; b"));
}

}  // namespace
}  // namespace orrery::cli
