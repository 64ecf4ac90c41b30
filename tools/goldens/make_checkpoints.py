"""Writes tests/golden/models/: small random checkpoints, and what Hugging Face transformers says of them.

    python tools/goldens/make_checkpoints.py [NAME...]     # needs torch, transformers, tokenizers, sentencepiece

Everything follows from fixed seeds. The models are checked, not only recorded: see golden.py, and
`check_settings_matter` below.
"""
import json
import math
import pathlib
import shutil
import sys
import tempfile

import torch
from safetensors.torch import save_file
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

import golden
from small_tokenizers import write_byte_level, write_json, write_sentencepiece
from variants import VARIANTS, Variant

SHORT_FORMAT = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def random_tensor(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Sizes at which every part of the model matters: attention is peaked, layers outweigh embeddings."""
    noise = torch.randn(shape, generator=generator)
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return 1.4 + 0.3 * noise
    if name.endswith("norm.weight"):
        return 1 + 0.2 * noise
    if name.endswith("bias"):
        return 0.4 * noise
    if name.endswith(("embed_tokens.weight", "lm_head.weight")):
        return noise * (1.6 / math.sqrt(shape[1]))
    return noise * (1.4 / math.sqrt(shape[1]))


def write_checkpoint(variant: Variant, folder) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = variant.config | {"torch_dtype": variant.dtype}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json",
               {k: config[k] for k in ("bos_token_id", "eos_token_id")})
    if variant.tokenizer == "sentencepiece":
        write_sentencepiece(folder, config["vocab_size"])
    else:
        write_byte_level(folder, config["bos_token_id"], config["eos_token_id"])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    generator = torch.Generator().manual_seed(sum(variant.name.encode()))
    tied = {"lm_head.weight"} if config["tie_word_embeddings"] else set()
    tensors = {name: random_tensor(name, value.shape, generator).to(getattr(torch, variant.dtype))
               for name, value in model.state_dict().items() if name not in tied}
    save_shards(tensors, variant.num_shards, folder)


def save_shards(tensors: dict, num_shards: int, folder) -> None:
    if num_shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return
    weight_map, names = {}, list(tensors)
    for shard in range(num_shards):
        file = f"model-{shard + 1:05}-of-{num_shards:05}.safetensors"
        part = {name: tensors[name] for name in names[shard::num_shards]}
        save_file(part, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total_size = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(folder / "model.safetensors.index.json",
               {"metadata": {"total_size": total_size}, "weight_map": weight_map})


def load(folder, change: dict | None = None):
    """The checkpoint in float32, where told with other settings than its config.json has."""
    config = json.loads((folder / "config.json").read_text()) | (change or {})
    with tempfile.TemporaryDirectory() as changed:
        write_json(pathlib.Path(changed, "config.json"), config)
        return AutoModelForCausalLM.from_pretrained(
            folder, config=AutoConfig.from_pretrained(changed), dtype=torch.float32,
            attn_implementation="eager")


def check_settings_matter(variant: Variant, oracle: golden.Oracle, made: dict) -> None:
    """A model that ignores a setting or a tensor must miss its golden by ten tolerances or more."""
    folder = golden.ROOT / variant.name
    prompt = made["prompts"][-1]
    ids = prompt["prompt_token_ids"] + prompt["token_ids"]
    changed = {what: load(folder, change) for what, change in variant.ignoring.items()}
    for part in ("q_proj.bias", "k_proj.bias", "v_proj.bias", "q_norm.weight", "k_norm.weight"):
        model = load(folder)
        tensors = [v for k, v in model.state_dict().items() if k.endswith(part)]
        for tensor in tensors:
            tensor.fill_(1.0 if part.endswith("norm.weight") else 0.0)
        if tensors:
            changed[part] = model
    right = oracle.logits(ids)
    for what, model in changed.items():
        difference = golden.relative_difference(golden.Oracle(model).logits(ids), right)
        print(f"    without its {what}: logits move by {difference:.3f}")
        assert difference > 1e-2, (variant.name, what)


def write_goldens(variant: Variant) -> None:
    folder = golden.ROOT / variant.name
    config = variant.config
    max_positions = config["max_position_embeddings"]
    dynamic = bool(variant.max_model_lens)
    for max_model_len in variant.max_model_lens or (max_positions,):
        suffix = f"_{max_model_len}" if dynamic else ""
        long = max_model_len > max_positions
        header = {"name": variant.name + suffix, "model": variant.name,
                  "architecture": config["architectures"][0],
                  "format": SHORT_FORMAT[variant.dtype], "max_model_len": max_model_len,
                  "notes": variant.notes}
        print(header["name"])
        lengths = [5, 20, 40] if dynamic and not long else [5, 40, 70]
        oracle = golden.Oracle(load(folder), max_model_len if long else None)
        made = golden.make_golden(folder / ("golden" + suffix), oracle, lengths,
                                  {0, config["bos_token_id"], config["eos_token_id"]}, header)
    check_settings_matter(variant, oracle, made)


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for variant in VARIANTS:
        if not sys.argv[1:] or variant.name in sys.argv[1:]:
            write_checkpoint(variant, golden.ROOT / variant.name)
            write_goldens(variant)
    golden.write_manifest()


if __name__ == "__main__":
    main()
