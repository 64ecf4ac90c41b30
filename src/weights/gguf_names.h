// GGUF tensor names and their Hugging Face counterparts, for the Llama family.
#pragma once

#include <string>
#include <string_view>

namespace orrery::weights {

// "blk.0.attn_q.weight" → "model.layers.0.self_attn.q_proj.weight". Names without a counterpart
// (rope_freqs.weight) stay as they are.
std::string hf_tensor_name(std::string_view gguf_name);

}  // namespace orrery::weights
