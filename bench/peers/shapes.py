"""The models that are compared: shapes of published ones with random weights, in the formats that people run."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    architecture: str  # as GGUF calls it
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    rope_theta: float
    eps: float
    formats: tuple[str, ...]
    # A run of a small model is over in milliseconds: more tokens, and the median of more rounds.
    decode_tokens: int = 32
    rounds: int = 1

    def kv_bytes_per_token(self) -> int:
        """Both programs keep keys and values in 16 bits."""
        return self.layers * 2 * self.kv_heads * self.head_dim * 2


QUANTISED = ("q8_0", "q4_0", "q4_k_m")
SHAPES = (
    Shape("llama-3.2-1b", "llama", 2048, 8192, 16, 32, 8, 64, 128256, 5e5, 1e-5, ("bf16", *QUANTISED)),
    Shape("qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, 1e6, 1e-6, ("bf16", *QUANTISED)),
    # 288 inputs are no multiple of 256, so that K-quants fall back to other formats.
    Shape("llama-15m", "llama", 288, 768, 6, 6, 6, 48, 32000, 1e4, 1e-5, ("bf16", "q8_0", "q4_0"),
          decode_tokens=256, rounds=5),
)
