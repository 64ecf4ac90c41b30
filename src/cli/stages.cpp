#include "cli/stages.h"

#include <algorithm>

namespace orrery::cli {
namespace {

// Eighths of a cell, so that a bar of 20 cells shows half a percent.
std::string bar(double probability) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(probability, 0.0, 1.0) * 160 + 0.5);
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

constexpr size_t kShown = 5;  // candidates per step

}  // namespace

void StagePrinter::print_prompt(std::span<const int32_t> ids) {
  fmt::print("{}Tokenizer{}    text → {} token{}\n", style_.bold, style_.reset, ids.size(),
             ids.size() == 1 ? "" : "s");
  for (const int32_t id : ids)
    fmt::print("  {}{:>7}{}  {}\n", style_.dim, id, style_.reset, piece(id));
}

void StagePrinter::on_prefill_chunk(int64_t first, int64_t count, int64_t total, double seconds) {
  fmt::print(
      "{}Model{}        prefill of tokens {}–{} of {} in {:.1f} ms: keys and values kept, logits "
      "over {} tokens\n",
      style_.bold, style_.reset, first + 1, first + count, total, seconds * 1e3,
      llm_.model().config().vocab_size);
}

void StagePrinter::on_token(const sampler::SampledToken& token, const sampler::SampleTrace& trace,
                            double seconds) {
  if (step_++ > 0) {
    fmt::print("{}Model{}        decode of one token in {:.1f} ms\n", style_.bold, style_.reset,
               seconds * 1e3);
  }
  if (trace.greedy) {
    fmt::print("{}Sampler{}      greedy: the most probable token\n", style_.bold, style_.reset);
  } else {
    fmt::print("{}Sampler{}      {} candidates left, drawn with {:.4f}\n", style_.bold,
               style_.reset, trace.after_typical_p, trace.uniform);
  }
  print_candidates(token, trace);
}

void StagePrinter::print_candidates(const sampler::SampledToken& token,
                                    const sampler::SampleTrace& trace) const {
  size_t shown = 0;
  for (const sampler::TracedToken& candidate : trace.tokens) {
    const bool drawn = candidate.id == token.id;
    if (shown++ >= kShown && !drawn) continue;
    const std::string cut = candidate.cut_by == sampler::Filter::kNone || trace.greedy
                                ? ""
                                : fmt::format("  cut by {}", sampler::name_of(candidate.cut_by));
    fmt::print("  {}{:>7}  {:<16} {:5.1f} %  {}{}{}{}\n", drawn ? style_.good : style_.dim,
               candidate.id, piece(candidate.id), candidate.probability * 100,
               bar(candidate.probability), cut, drawn ? "  ◀" : "", style_.reset);
  }
}

void StagePrinter::on_text(std::string_view released, std::string_view held_back) {
  if (released.empty() && held_back.empty()) return;
  fmt::print("{}DeTokenizer{}  {}", style_.bold, style_.reset, escaped(released));
  if (!held_back.empty())
    fmt::print("  {}held back: {}{}", style_.warn, escaped(held_back), style_.reset);
  fmt::print("\n");
}

void StagePrinter::print_end(const llm::Generation& generation) {
  const auto prompt = static_cast<double>(generation.prompt_token_ids.size());
  const auto steps =
      static_cast<double>(generation.token_ids.size()) - 1;  // the first comes from the prefill
  fmt::print("\n{}{}{}\n\n", style_.accent, generation.text, style_.reset);
  fmt::print("{}ended by {}; prefill {:.0f} tokens/s, decode {:.0f} tokens/s{}\n", style_.dim,
             llm::name_of(generation.finish_reason), prompt / generation.prefill_seconds,
             steps > 0 ? steps / generation.decode_seconds : 0, style_.reset);
}

}  // namespace orrery::cli
