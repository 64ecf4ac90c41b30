// StagePrinter: `run --stages`. The four rooms of the pipeline as text: Tokenizer, Model, Sampler,
// DeTokenizer.
#pragma once

#include <span>

#include "cli/terminal.h"
#include "llm/llm.h"

namespace orrery::cli {

class StagePrinter final : public llm::GenerationObserver {
 public:
  explicit StagePrinter(const llm::Llm& llm) : llm_(llm), style_(Style::for_stdout()) {}

  void print_prompt(std::span<const int32_t> ids);
  void print_end(const llm::Generation& generation);

  bool wants_trace() const override { return true; }
  void on_prefill_chunk(int64_t first, int64_t count, int64_t total, double seconds) override;
  void on_token(const sampler::SampledToken& token, const sampler::SampleTrace& trace,
                double seconds) override;
  void on_text(std::string_view released, std::string_view held_back) override;

 private:
  std::string piece(int32_t id) const { return escaped(llm_.tokenizer()->token_bytes(id)); }
  void print_candidates(const sampler::SampledToken& token,
                        const sampler::SampleTrace& trace) const;

  const llm::Llm& llm_;
  Style style_;
  int64_t step_ = 0;
};

}  // namespace orrery::cli
