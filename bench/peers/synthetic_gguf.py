"""GGUF files with random weights of a given shape, and a vocabulary of its true size.

bf16 is written here; llama.cpp's own quantiser makes the other formats from it, by its defaults (the matrix
of the logits has more bits than the rest), so that they are laid out as the files that people download.
"""
import pathlib
from collections.abc import Iterator

import gguf
import numpy as np

from shapes import Shape

CONTEXT = 8192
SPREAD = 0.02


def matrices(shape: Shape) -> Iterator[tuple[str, tuple[int, int]]]:
    q, kv, hidden = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim, shape.hidden
    yield "token_embd", (shape.vocab, hidden)  # also gives the logits
    for layer in range(shape.layers):
        for part, size in (("attn_q", (q, hidden)), ("attn_k", (kv, hidden)), ("attn_v", (kv, hidden)),
                           ("attn_output", (hidden, q)), ("ffn_gate", (shape.ffn, hidden)),
                           ("ffn_up", (shape.ffn, hidden)), ("ffn_down", (hidden, shape.ffn))):
            yield f"blk.{layer}.{part}", size


def norms(shape: Shape) -> Iterator[tuple[str, int]]:
    for layer in range(shape.layers):
        yield f"blk.{layer}.attn_norm", shape.hidden
        yield f"blk.{layer}.ffn_norm", shape.hidden
        if shape.architecture == "qwen3":
            yield f"blk.{layer}.attn_q_norm", shape.head_dim
            yield f"blk.{layer}.attn_k_norm", shape.head_dim
    yield "output_norm", shape.hidden


def random_bf16(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    values = rng.standard_normal(size, np.float32)
    values *= SPREAD
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def byte_letters() -> list[str]:
    """How byte-level BPE writes the 256 bytes: printable ones as themselves, others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def add_tokenizer(writer: gguf.GGUFWriter, vocab: int) -> None:
    """All bytes, one merge, words that no text contains, and two special tokens at the end."""
    tokens = [*byte_letters(), "ab"]
    tokens += [f"\u0120word{i}" for i in range(vocab - len(tokens) - 2)] + ["<s>", "</s>"]
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * (vocab - 2) + [control] * 2)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(vocab - 2)
    writer.add_eos_token_id(vocab - 1)


def add_config(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.eps)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)


def write_bf16(shape: Shape, path: pathlib.Path) -> None:
    """One tensor after the other, so that no more than one is in memory."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    add_config(writer, shape)
    add_tokenizer(writer, shape.vocab)
    for name, size in matrices(shape):
        writer.add_tensor_info(f"{name}.weight", size, np.dtype(np.uint16), 2 * size[0] * size[1],
                               gguf.GGMLQuantizationType.BF16)
    for name, width in norms(shape):
        writer.add_tensor_info(f"{name}.weight", (width,), np.dtype(np.float32), 4 * width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(0)
    for _, size in matrices(shape):
        writer.write_tensor_data(random_bf16(rng, size))
    for _, width in norms(shape):
        writer.write_tensor_data(np.ones(width, np.float32))
    writer.close()


def make(shape: Shape, fmt: str, folder: pathlib.Path, quantise) -> pathlib.Path:
    """The file, made unless it is there. `quantise(source, out, fmt)` is the peer's."""
    path = folder / f"{shape.name}-{fmt}.gguf"
    if path.exists():
        return path
    print(f"making {path}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    if fmt == "bf16":
        write_bf16(shape, unfinished)
    else:
        quantise(make(shape, "bf16", folder, quantise), unfinished, fmt)
    return unfinished.rename(path)


def matrix_bytes(path: pathlib.Path) -> int:
    """What a step of one token reads; the embedding is also the matrix of the logits, so all of it counts."""
    return sum(int(t.n_bytes) for t in gguf.GGUFReader(path).tensors if len(t.shape) == 2)


def matrix_flops(shape: Shape) -> tuple[int, int]:
    """Multiplications and additions for a token: in the layers, and for its logits."""
    sizes = [2 * rows * cols for _, (rows, cols) in matrices(shape)]
    return sum(sizes[1:]), sizes[0]
