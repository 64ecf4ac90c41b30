"""Write the checkpoint folder that `transformers` and the engine load, with golden outputs for tests.

    python tools/demo_model/export.py --work build/demo_model --out models/demo [--weights average]

`--weights average` takes the running mean, for a checkpoint whose rate has not fallen to zero yet.
"""
from __future__ import annotations

import argparse
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from model import Config
from prepare import BOS, END, EOS, SPECIALS

# One special token per role, no line breaks; prepare.encode_turns gives the same ids.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + (message['content'] | trim) + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")

GOLDEN_PROMPTS: list[str | list[dict[str, str]]] = [
    "Once upon a time there was",
    "The little girl opened the door and",
    [{"role": "user", "content": "Hello! How are you?"}],
    [{"role": "system", "content": "You are a friendly assistant."},
     {"role": "user", "content": "Tell me a short story."}],
]
GOLDEN_TOKENS = 32


def write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    number_list = re.compile(r"\[\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]")  # on one line
    text = number_list.sub(lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
    path.write_text(text + "\n", encoding="utf-8")


def write_configs(out: Path) -> None:
    config = asdict(Config()) | {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "head_dim": Config().head_dim, "attention_bias": False, "mlp_bias": False,
        "attention_dropout": 0.0, "rope_scaling": None, "tie_word_embeddings": True,
        "initializer_range": 0.02, "bos_token_id": BOS, "eos_token_id": [EOS, END],
        "pad_token_id": EOS, "torch_dtype": "bfloat16", "use_cache": True}
    write_json(out / "config.json", config)
    write_json(out / "generation_config.json", {
        "bos_token_id": BOS, "eos_token_id": [EOS, END], "pad_token_id": EOS, "do_sample": True,
        "temperature": 0.7, "top_k": 40, "top_p": 0.95})
    added = {str(i): {"content": token, "lstrip": False, "normalized": False, "rstrip": False,
                      "single_word": False, "special": True} for i, token in enumerate(SPECIALS)}
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512,
        "bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|eos|>",
        "additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"],
        "clean_up_tokenization_spaces": False, "added_tokens_decoder": added,
        "chat_template": CHAT_TEMPLATE})


def write_weights(checkpoint: Path, which: str, out: Path) -> dict[str, int]:
    state = torch.load(checkpoint)
    tensors = {k: v.to(torch.bfloat16).contiguous() for k, v in state[which].items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    return {"parameters": sum(v.numel() for v in tensors.values()),
            "steps": state["step"], "tokens": state["tokens"],
            "minutes": round(state["elapsed_s"] / 60)}


def prompt_ids(tokenizer: PreTrainedTokenizerBase,
               prompt: str | list[dict[str, str]]) -> tuple[str, list[int]]:
    """The text and its ids; a chat is rendered first, and its text holds the bos token already."""
    if isinstance(prompt, str):
        return prompt, tokenizer(prompt)["input_ids"]
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return text, tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def golden(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase,
           prompt: str | list[dict[str, str]]) -> dict[str, object]:
    """Greedy ids without a stop, the lead of each over the runner-up, and the first step's top 5."""
    text, ids = prompt_ids(tokenizer, prompt)
    output, margins, top5 = list(ids), [], []
    for _ in range(GOLDEN_TOKENS):
        top = model(torch.tensor([output])).logits[0, -1].topk(5)
        if not top5:
            top5 = [{"id": i, "logit": round(v, 4)}
                    for i, v in zip(top.indices.tolist(), top.values.tolist())]
        margins.append(round(float(top.values[0] - top.values[1]), 4))
        output.append(int(top.indices[0]))
    new = output[len(ids):]
    entry: dict[str, object] = {} if isinstance(prompt, str) else {"messages": prompt}
    return entry | {"prompt": text, "prompt_ids": ids, "output_ids": new,
                    "output_text": tokenizer.decode(new, skip_special_tokens=True),
                    "margins": margins, "last_prompt_logits_top5": top5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demo_model"))
    parser.add_argument("--out", type=Path, default=Path("models/demo"))
    parser.add_argument("--weights", choices=["model", "average"], default="model")
    args = parser.parse_args()
    torch.set_num_threads(2)
    args.out.mkdir(parents=True, exist_ok=True)
    write_configs(args.out)
    shutil.copyfile(args.work / "tokenizer.json", args.out / "tokenizer.json")
    print(write_weights(args.work / "last.pt", args.weights, args.out))
    tokenizer = AutoTokenizer.from_pretrained(args.out)
    model = AutoModelForCausalLM.from_pretrained(args.out, dtype=torch.float32).eval()
    write_json(args.out / "golden.json", {
        "about": "Greedy continuation (no stop at eos) by transformers in float32 from the bfloat16 "
                 "weights of this folder; margins are the logit of the chosen id less the next best.",
        "cases": [golden(model, tokenizer, p) for p in GOLDEN_PROMPTS]})


if __name__ == "__main__":
    main()
