"""Writes tests/golden/quants/: raw blocks of every GGUF weight format and the float32 values they hold.

The values come from gguf-py's `gguf.quants.dequantize`. For each format NAME there is
  NAME.blocks.bin   num_blocks blocks, as they lie in a GGUF file
  NAME.values.bin   num_blocks * block_size float32, little-endian
and quants.json lists the formats. All products of a dequantisation are exact in float32 (at most
24 significant bits), so that one rounding is left and a reader must give equal values (NaN for NaN).

    python tools/goldens/make_quant_goldens.py      # needs numpy, gguf
"""
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGML_QUANT_SIZES
from gguf.quants import dequantize

OUT = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "quants"

# format -> byte offsets of its float16 fields (scale, then minimum where it has one)
HALF_FIELDS = {
    T.Q4_0: (0,), T.Q4_1: (0, 2), T.Q5_0: (0,), T.Q5_1: (0, 2), T.Q8_0: (0,),
    T.Q2_K: (80, 82), T.Q3_K: (108,), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,),
}
# 0, -0, smallest and largest subnormal, smallest normal, 1, -1, a third, largest, -largest
EDGE_HALVES = np.array([0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x3555, 0x7BFF,
                        0xFBFF], np.uint16)


def edge_blocks(type_size: int, offsets: tuple[int, ...]) -> np.ndarray:
    """Quants of all zero bits, all one bits and one rising byte pattern, under every edge scale."""
    blocks = []
    for i, half in enumerate(EDGE_HALVES):
        fill = (np.zeros(type_size, np.uint8), np.full(type_size, 255, np.uint8),
                (np.arange(type_size) * 37 % 256).astype(np.uint8))[i % 3]
        for k, offset in enumerate(offsets):
            other = EDGE_HALVES[(i + 3 * k) % len(EDGE_HALVES)]
            fill[offset:offset + 2] = np.frombuffer((half if k == 0 else other).tobytes(), np.uint8)
        blocks.append(fill)
    return np.stack(blocks)


def random_blocks(count: int, type_size: int, offsets: tuple[int, ...], rng) -> np.ndarray:
    """Random bits, with scales as trained weights have them (about 1e-3 to 1e-1, either sign)."""
    blocks = rng.integers(0, 256, (count, type_size), dtype=np.uint8)
    for offset in offsets:
        scale = rng.normal(0, 0.05, (count, 1)).astype(np.float16)
        blocks[:, offset:offset + 2] = scale.view(np.uint8)
    return blocks


def sixteen_bit_values(rng) -> np.ndarray:
    """Every exponent of both signs, subnormals, infinities, one NaN, and random patterns."""
    edges = np.arange(0, 65536, 128, dtype=np.uint16)
    return np.concatenate([edges, np.array([1, 0x8001, 0x7FFF], np.uint16),
                           rng.integers(0, 65536, 509, dtype=np.uint16)])


def main() -> None:
    rng = np.random.default_rng(20)
    OUT.mkdir(parents=True, exist_ok=True)
    formats = []
    for qtype in (T.F16, T.BF16, *HALF_FIELDS):
        block_size, type_size = GGML_QUANT_SIZES[qtype]
        if block_size == 1:
            raw = sixteen_bit_values(rng).view(np.uint8).reshape(-1, 2)
        else:
            offsets = HALF_FIELDS[qtype]
            count = 10 if block_size == 256 else 70
            raw = np.concatenate([edge_blocks(type_size, offsets),
                                  random_blocks(count, type_size, offsets, rng)])
        values = np.ascontiguousarray(dequantize(raw.reshape(1, -1), qtype), "<f4").reshape(-1)
        assert values.size == len(raw) * block_size
        assert block_size == 1 or np.isfinite(values).all()
        name = qtype.name.lower()
        raw.tofile(OUT / f"{name}.blocks.bin")
        values.tofile(OUT / f"{name}.values.bin")
        formats.append({"format": qtype.name, "ggml_type": int(qtype), "block_size": block_size,
                        "block_bytes": type_size, "num_blocks": len(raw),
                        "blocks": f"{name}.blocks.bin", "values": f"{name}.values.bin"})
    (OUT / "quants.json").write_text(json.dumps({"formats": formats}, indent=1) + "\n")


if __name__ == "__main__":
    main()
