"""Asks llama.cpp what it says of the goldens: that our reading of GGUF is the one in use, not only our own.

    python tools/goldens/check_llama_cpp.py --llama-cpp TREE

First every checkpoint as float32 GGUF (not kept), where both sides compute in float32; then the files in
tests/golden/models/gguf, once dequantised to float32 by ggml, and once as they are, where llama.cpp
rounds activations too (to 8 bits, bf16 or f16).
"""
import argparse
import ctypes
import json
import pathlib
import tempfile

import llama_cpp
import numpy as np
import torch
import transformers

import golden
import llama_cpp_tools
import make_gguf
from variants import VARIANTS

# GGUF, or llama.cpp, has no way to say these.
NOT_IN_GGUF = {"llama_dynamic": "dynamic scaling", "llama_yarn_options": "truncate, attention_factor"}
FLOAT32_LIMIT = 1e-3


def compare(path: pathlib.Path, oracle: golden.Oracle, prompts: list[dict]) -> tuple[float, int, int]:
    """Largest relative difference of the logits, and at how many positions the choice agrees."""
    inference = llama_cpp_tools.Inference(path)
    worst, equal, total = 0.0, 0, 0
    for prompt in prompts:
        ids = prompt["prompt_token_ids"] + prompt["token_ids"]
        theirs, ours = torch.from_numpy(inference.logits(ids)), oracle.logits(ids)
        worst = max(worst, golden.relative_difference(theirs, ours))
        equal += int((theirs.argmax(-1) == ours.argmax(-1)).sum())
        total += len(ids)
    return worst, equal, total


def report(name: str, figures: tuple[float, int, int]) -> None:
    print(f"{name:28} relative difference {figures[0]:.1e}, greedy {figures[1]}/{figures[2]}", flush=True)


def check_float32(tree: str) -> None:
    for variant in VARIANTS:
        if variant.name in NOT_IN_GGUF:
            print(f"{variant.name:28} left out: {NOT_IN_GGUF[variant.name]}")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            path = pathlib.Path(temporary, "f32.gguf")
            llama_cpp_tools.convert(tree, golden.ROOT / variant.name, path, "f32",
                                    make_gguf.PRE_TOKENIZER)
            oracle, _ = make_gguf.oracle_of(path, variant.name)
            made = json.loads((golden.ROOT / variant.name / "golden.json").read_text())
            figures = compare(path, oracle, made["prompts"])
        report(variant.name + " F32", figures)
        assert figures[0] < FLOAT32_LIMIT, variant.name


def check_files() -> None:
    for path in sorted((golden.ROOT / "gguf").glob("*.golden.json")):
        made = json.loads(path.read_text())
        model = golden.ROOT / made["model"]
        oracle, _ = make_gguf.oracle_of(model, made["name"].split("-")[0])
        with tempfile.TemporaryDirectory() as temporary:
            dequantised = pathlib.Path(temporary, "f32.gguf")
            llama_cpp_tools.quantize(model, dequantised, "F32")
            figures = compare(dequantised, oracle, made["prompts"])
        report(made["name"] + ", in F32", figures)
        assert figures[0] < FLOAT32_LIMIT, path.name
        report(made["name"], compare(model, oracle, made["prompts"]))


def check_dequantisation() -> None:
    """ggml's own dequantize_row_* on the blocks of tests/golden/quants."""
    folder = golden.ROOT.parent / "quants"
    ggml = ctypes.CDLL(next(pathlib.Path(llama_cpp.__file__).parent.glob("lib/libggml-base.so*")))
    for entry in json.loads((folder / "quants.json").read_text())["formats"]:
        if entry["block_size"] == 1:
            continue
        dequantize = ggml["dequantize_row_" + entry["format"].lower().replace("_k", "_K")]
        expected = np.fromfile(folder / entry["values"], "<f4")
        values = np.empty_like(expected)
        blocks = (folder / entry["blocks"]).read_bytes()
        dequantize(blocks, values.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(values.size))
        different = int((values != expected).sum())
        print(f"{entry['format']:28} {different} of {values.size} values differ from ggml's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llama-cpp", required=True, metavar="TREE", help="llama.cpp source tree")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    check_dequantisation()
    check_float32(parser.parse_args().llama_cpp)
    check_files()


if __name__ == "__main__":
    main()
