// The ablation as JSON and as a table.
#include <cmath>
#include <map>

#include "cli/ablation.h"
#include "cli/terminal.h"

namespace orrery::cli {
namespace {

constexpr size_t kColumns = 100;

// What is off, and what is on.
std::string_view describe(std::string_view technique) {
  static const std::map<std::string_view, std::string_view> kDescriptions = {
      {"paging", "max_model_len reserved for each request in one piece; blocks of 16 tokens"},
      {"flash attention", "all scores in memory; tiles with an online softmax"},
      {"KV cache", "the whole sequence computed at each token; one token"},
      {"prefix cache", "each prompt computed; equal beginnings computed once"},
      {"continuous batching", "a batch waits for its longest; a place is filled when it is free"},
      {"all together", "static batches in contiguous memory; continuous batches in blocks"},
  };
  const auto found = kDescriptions.find(technique);
  return found == kDescriptions.end() ? std::string_view() : found->second;
}

// Lines of at most kColumns − indent bytes, broken at spaces.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kColumns - indent) {
      end = text.rfind(' ', kColumns - indent);
      if (end == std::string_view::npos) end = text.size();
    }
    out += fmt::format("{:{}}{}\n", "", indent, text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

std::string with_thousands(double value) {
  const std::string digits = fmt::format("{:.0f}", value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

OrderedJson row_json(const AblationRow& row) {
  OrderedJson json = {{"technique", row.technique},
                      {"measure", row.measure},
                      {"unit", row.unit},
                      {"better", row.more_is_better ? "more" : "less"},
                      {"basis", row.basis},
                      {"driver", row.driver},
                      {"off", row.off},
                      {"on", row.on},
                      {"ratio", row.ratio},
                      {"published", nullptr},
                      {"published_text", nullptr},
                      {"reproduces", nullptr},
                      {"rounds", row.rounds},
                      {"note", row.note}};
  if (row.published) {
    json["published"] = row.published->ratio;
    json["published_text"] = row.published->text;
    json["reproduces"] = row.reproduces();
  }
  return json;
}

}  // namespace

std::string ablation_value(double value, const std::string& unit) {
  if (unit == "bytes") {
    return value < 1e6 ? fmt::format("{:.1f} kB", value / 1e3)
                       : fmt::format("{:.1f} MB", value / 1e6);
  }
  std::string number = value >= 1000  ? with_thousands(value)
                       : value >= 100 ? fmt::format("{:.0f}", value)
                                      : fmt::format("{:.1f}", value);
  if (unit == "%") number += " %";
  return unit == "ms" ? number + " ms" : unit == "tokens/s" ? number + "/s" : number;
}

OrderedJson ablation_json(const std::vector<AblationRow>& rows) {
  OrderedJson json = OrderedJson::array();
  for (const AblationRow& row : rows) json.push_back(row_json(row));
  return json;
}

std::string ablation_table(const std::vector<AblationRow>& rows) {
  const Style style = Style::for_stdout();
  std::string out =
      fmt::format("{:<46}{:>11}{:>11}{:>9}   {}\n", "", "off", "on", "ratio", "published");
  int num_published = 0, num_reproduced = 0;
  const std::string* technique = nullptr;
  for (const AblationRow& row : rows) {
    if (technique == nullptr || *technique != row.technique) {
      out += fmt::format("{}{}{}  {}{}{}\n", style.bold, row.technique, style.reset, style.dim,
                         describe(row.technique), style.reset);
    }
    technique = &row.technique;
    out += fmt::format("  {:<44}{:>11}{:>11}{:>7.1f} ×   {}\n", row.measure,
                       ablation_value(row.off, row.unit), ablation_value(row.on, row.unit),
                       row.ratio, row.published ? row.published->text : "");
    if (row.published) {
      ++num_published;
      if (row.reproduces()) ++num_reproduced;
    }
    if (row.note.empty() && row.reproduces()) continue;
    const std::string verdict = row.reproduces() ? "" : "Not reproduced. ";
    out +=
        (row.reproduces() ? style.dim : style.warn) + wrapped(verdict + row.note, 6) + style.reset;
  }
  out += fmt::format(
      "\nRatio: how many times better with the technique. {} of {} published ratios reproduce.\n",
      num_reproduced, num_published);
  return out;
}

}  // namespace orrery::cli
