"""The small checkpoints: one entry per architecture or configuration that a model must get right.

`config` is the checkpoint's config.json. Old and new spellings of rope settings are mixed on purpose
(`rope_scaling` with `type` or `rope_type`, and `rope_parameters`): checkpoints in use have all three.
`ignoring` names changes of the configuration; each must move the logits visibly, so that a model
which overlooks the setting fails its golden.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    name: str
    notes: str
    config: dict
    tokenizer: str  # "sentencepiece" or "bytes"
    dtype: str = "bfloat16"
    num_shards: int = 1
    max_model_lens: tuple[int, ...] = ()  # default: max_position_embeddings
    ignoring: dict[str, dict] = field(default_factory=dict)


def config(architecture: str, model_type: str, vocab_size: int, **settings) -> dict:
    bytes_tokenizer = settings.pop("special", None)  # (bos, eos) of a byte-level tokenizer
    bos, eos = bytes_tokenizer or (1, 2)
    base = {
        "architectures": [architecture], "model_type": model_type, "vocab_size": vocab_size,
        "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "bos_token_id": bos, "eos_token_id": eos,
    }
    merged = base | settings
    if "rope_parameters" in merged:
        del merged["rope_theta"]
    return merged


def llama(vocab_size: int = 288, **settings) -> dict:
    return config("LlamaForCausalLM", "llama", vocab_size, **settings)


NARROW = {"hidden_size": 128, "intermediate_size": 192}
NO_SCALING = {"rope_scaling": None}
LLAMA3_SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                  "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
YARN_OPTIONS = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 8.0,
                "beta_slow": 2.0, "attention_factor": 1.4, "truncate": False,
                "original_max_position_embeddings": 64}


def yarn_without(*names: str) -> dict:
    return {"rope_parameters": {k: v for k, v in YARN_OPTIONS.items() if k not in names}}


VARIANTS = [
    Variant("llama2", "Llama 2: multi-head attention, untied embeddings, SentencePiece",
            llama(num_key_value_heads=4), "sentencepiece"),
    Variant("llama3", "Llama 3: grouped queries, llama3 rope scaling, tied",
            llama(320, special=(318, 319), rope_theta=500000.0, head_dim=64,
                  rope_scaling=LLAMA3_SCALING, tie_word_embeddings=True), "bytes",
            ignoring={"rope scaling": NO_SCALING}),
    Variant("llama_linear", "linear rope scaling, `type` spelling, float32 weights",
            llama(**NARROW, rope_scaling={"type": "linear", "factor": 4.0}), "sentencepiece",
            "float32", ignoring={"rope scaling": NO_SCALING}),
    Variant("llama_dynamic", "dynamic NTK rope scaling; its base depends on max_model_len",
            llama(**NARROW, max_position_embeddings=64,
                  rope_scaling={"type": "dynamic", "factor": 2.0}), "sentencepiece",
            max_model_lens=(64, 128), ignoring={"rope scaling": NO_SCALING}),
    Variant("llama_yarn", "YaRN rope scaling with its defaults, two layers",
            llama(**NARROW, num_hidden_layers=2,
                  rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                "original_max_position_embeddings": 64}), "sentencepiece", ignoring={"rope scaling": NO_SCALING}),
    Variant("llama_yarn_options", "YaRN with beta_fast, beta_slow, attention_factor, no truncation, "
            "in `rope_parameters`", llama(**NARROW, rope_parameters=YARN_OPTIONS), "sentencepiece",
            ignoring={"attention_factor": yarn_without("attention_factor"),
                      "truncate": yarn_without("truncate"),
                      "beta_fast": yarn_without("beta_fast"),
                      "beta_slow": yarn_without("beta_slow")}),
    Variant("llama_bias", "Llama with attention_bias and mlp_bias",
            llama(291, **NARROW, attention_bias=True, mlp_bias=True), "sentencepiece",
            ignoring={"attention_bias": {"attention_bias": False}, "mlp_bias": {"mlp_bias": False}}),
    Variant("mistral", "Mistral: sliding window of 16 tokens, vocabulary no multiple of 32, float16, "
            "two layers", config("MistralForCausalLM", "mistral", 291, **NARROW,
                                 num_hidden_layers=2, sliding_window=16), "sentencepiece", "float16",
            ignoring={"sliding_window": {"sliding_window": None}}),
    Variant("qwen2", "Qwen2: query, key, value biases, untied, float16, two shards",
            config("Qwen2ForCausalLM", "qwen2", 323, special=(318, 319), rms_norm_eps=1e-6,
                   rope_theta=1000000.0, use_sliding_window=False, sliding_window=16,
                   max_window_layers=1), "bytes", "float16", num_shards=2),
    Variant("qwen2_5", "Qwen2.5: as Qwen2, tied, two layers, `rope_parameters`",
            config("Qwen2ForCausalLM", "qwen2", 320, special=(318, 319), **NARROW, rms_norm_eps=1e-6,
                   rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
                   num_hidden_layers=2, use_sliding_window=False, tie_word_embeddings=True), "bytes"),
    Variant("qwen3", "Qwen3: query and key norms, 8 heads of 64 on a width of 256, tied, two layers",
            config("Qwen3ForCausalLM", "qwen3", 323, special=(318, 319), rms_norm_eps=1e-6,
                   rope_theta=1000000.0, num_attention_heads=8, head_dim=64, num_hidden_layers=2,
                   attention_bias=False, use_sliding_window=False, tie_word_embeddings=True), "bytes"),
]
