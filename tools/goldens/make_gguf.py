"""Writes tests/golden/models/gguf/: GGUF forms of the small checkpoints, and goldens for them.

    python tools/goldens/make_gguf.py --llama-cpp TREE    # after make_checkpoints.py

Converted and quantised by llama.cpp. For the goldens the file is read back by gguf-py, dequantised, and the
weights are put into the transformers model: they say what exact arithmetic on the stored weights gives.
"""
import argparse
import pathlib
import re
import shutil
import tempfile

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize

import golden
import llama_cpp_tools
from make_checkpoints import load
from variants import VARIANTS

QUANTS = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
FORMATS = {  # checkpoint -> formats; the first set covers every format, the others every architecture
    "llama2": (*QUANTS, "Q4_K_M"),
    "llama3": ("Q4_K_M",),
    "llama_linear": ("F32",),
    "llama_yarn": ("BF16",),
    "llama_bias": ("F16",),
    "mistral": ("Q8_0",),
    "qwen2": ("Q4_K",),
    "qwen2_5": ("BF16",),
    "qwen3": ("Q4_K_M",),
}
SPLIT = {("mistral", "Q8_0"): 11}  # at most so many tensors per file
PRE_TOKENIZER = "qwen2"  # of the byte-level tokenizers, whose pattern is that of Qwen2
# GGUF has no key for a sliding window in the architecture "llama", which is what Mistral becomes.
CHANGES = {"mistral": {"sliding_window": None}}
LAYER_PARTS = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_PARTS = {"token_embd.weight": "model.embed_tokens.weight", "output.weight": "lm_head.weight",
             "output_norm.weight": "model.norm.weight"}


def parts_of(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path.parent.glob(path.name.replace("-00001-of-", "-*-of-")))


def rotary_halves(rows: np.ndarray, num_heads: int) -> np.ndarray:
    """Undoes llama.cpp's order of query and key rows: pairs (2i, 2i+1) back to (i, i + d/2)."""
    shape = (num_heads, rows.shape[0] // num_heads // 2, 2, *rows.shape[1:])
    return rows.reshape(shape).swapaxes(1, 2).reshape(rows.shape)


def read_weights(path: pathlib.Path, model) -> tuple[dict, set[str]]:
    """Every tensor in float32 under its checkpoint name, and the formats of the matrices."""
    config, weights, formats = model.config, {}, set()
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for part in parts_of(path):
        reader = gguf.GGUFReader(part)
        for tensor in reader.tensors:
            values = np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
            if len(tensor.shape) > 1:
                formats.add(tensor.tensor_type.name)
            if tensor.name == "rope_freqs.weight":
                check_rope_factors(values, model)
            elif match := re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", tensor.name):
                layer, what, kind = match.groups()
                if what in heads and config.model_type in ("llama", "mistral"):
                    values = rotary_halves(values, heads[what])
                weights[f"model.layers.{layer}.{LAYER_PARTS[what]}.{kind}"] = values
            else:
                weights[TOP_PARTS[tensor.name]] = values
    return weights, formats


def check_rope_factors(factors: np.ndarray, model) -> None:
    """rope_freqs.weight divides the plain frequencies; that must give those of transformers."""
    config = model.config
    plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    np.testing.assert_allclose(plain / factors, model.model.rotary_emb.inv_freq.numpy(), rtol=1e-5)


def oracle_of(path: pathlib.Path, variant_name: str) -> tuple[golden.Oracle, set[str]]:
    model = load(golden.ROOT / variant_name, CHANGES.get(variant_name))
    weights, formats = read_weights(path, model)
    if model.config.tie_word_embeddings:
        weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"])
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=True)
    return golden.Oracle(model), formats


def write_file(tree: str, variant_name: str, fmt: str, out: pathlib.Path) -> pathlib.Path:
    source = golden.ROOT / variant_name
    if (max_tensors := SPLIT.get((variant_name, fmt))) is not None:
        llama_cpp_tools.convert(tree, source, out, fmt.lower(), PRE_TOKENIZER,
                                "--split-max-tensors", str(max_tensors))
        return min(out.parent.glob(f"{out.stem}-00001-of-*.gguf"))
    if fmt in ("F32", "F16", "BF16"):
        llama_cpp_tools.convert(tree, source, out, fmt.lower(), PRE_TOKENIZER)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            whole = pathlib.Path(temporary, "f32.gguf")
            llama_cpp_tools.convert(tree, source, whole, "f32", PRE_TOKENIZER)
            llama_cpp_tools.quantize(whole, out, fmt)
    return out


def write_golden(path: pathlib.Path, variant, fmt: str) -> None:
    oracle, formats = oracle_of(path, variant.name)
    name = f"{variant.name}-{fmt.lower()}"
    notes = f"{variant.name} as GGUF; matrices in {', '.join(sorted(formats))}"
    if variant.name in CHANGES:
        notes += "; GGUF carries no sliding window here, so attention is full"
    if len(parts_of(path)) > 1:
        notes += f"; split into {len(parts_of(path))} files"
    header = {"name": name, "model": str(path.relative_to(golden.ROOT)),
              "architecture": variant.config["architectures"][0], "format": fmt,
              "max_model_len": variant.config["max_position_embeddings"], "notes": notes}
    special = {0, variant.config["bos_token_id"], variant.config["eos_token_id"]}
    golden.make_golden(path.parent / f"{name}.golden", oracle, [5, 40, 70], special, header)
    print(f"{name}: {sum(p.stat().st_size for p in parts_of(path))} bytes, {notes}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llama-cpp", required=True, metavar="TREE", help="llama.cpp source tree")
    tree = parser.parse_args().llama_cpp
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    out = golden.ROOT / "gguf"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for variant in VARIANTS:
        for fmt in FORMATS.get(variant.name, ()):
            path = write_file(tree, variant.name, fmt, out / f"{variant.name}-{fmt.lower()}.gguf")
            write_golden(path, variant, fmt)
    golden.write_manifest()


if __name__ == "__main__":
    main()
