"""Print, as markdown for the card, the held-out loss by stream and samples of an exported folder.

    python tools/demo_model/evaluate.py --work build/demo_model --model models/demo
"""
from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from export import prompt_ids
from train import CONTEXT, MIXTURE

MAX_DOCUMENTS = 100  # of a stream, evenly spread: keeps the evaluation near a minute on two cores
SAMPLE_PROMPTS: list[str | list[str]] = [
    "Once upon a time",
    "The future of AI is",
    "The fox looked at the rabbit and said,",
    "It was a cold winter morning, and",
    ["Hello! How are you?"],
    ["Hi, my name is Anna.", "I have a little dog.", "What is my name?"],
    ["Tell me a story about a fox"],
    ["What is the opposite of hot?", "Thank you!"],
    ["What can you do?"],
    ["I like to read books. What do you like to do?"],
    ["Why do people sleep at night?"],  # not among the templates
    ["My sister plays the violin in a big orchestra."],  # nor is this
]


@torch.no_grad()
def stream_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase,
                path: Path) -> tuple[float, int, float]:
    """Mean loss per predicted token, their count, bits per byte; each document from its own bos."""
    arrays = np.load(path)
    starts, total, count, size = arrays["starts"], 0.0, 0, 0
    documents = list(zip(starts[:-1], starts[1:]))
    for begin, end in documents[::math.ceil(len(documents) / MAX_DOCUMENTS)]:
        ids = torch.from_numpy(arrays["tokens"][begin:min(end, begin + CONTEXT)].astype(np.int64))
        logits = model(ids[None, :-1]).logits[0]
        total += float(F.cross_entropy(logits, ids[1:], reduction="sum"))
        count += len(ids) - 1
        size += len(tokenizer.decode(ids[1:], skip_special_tokens=True).encode())
    return total / count, count, total / size / math.log(2)


@torch.no_grad()
def generate(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, ids: list[int],
             sample: bool, limit: int = 120) -> str:
    """Sampling is temperature 0.7, top-k 40, top-p 0.95, seed 1."""
    torch.manual_seed(1)
    options = {"temperature": 0.7, "top_k": 40, "top_p": 0.95} if sample else {
        "temperature": None, "top_k": None, "top_p": None}
    tensor = torch.tensor([ids])
    output = model.generate(tensor, attention_mask=torch.ones_like(tensor), do_sample=sample,
                            max_new_tokens=limit, **options)[0, len(ids):]
    text = tokenizer.decode(output, skip_special_tokens=True).strip()
    return text if len(output) < limit else text + " [cut at 120 tokens]"


def print_samples(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sample: bool) -> None:
    for prompt in SAMPLE_PROMPTS:
        if isinstance(prompt, str):
            text = generate(model, tokenizer, prompt_ids(tokenizer, prompt)[1], sample)
            print(f"> **{prompt}** {text}\n".replace("\n\n", "\n>\n> ").rstrip("> \n") + "\n")
            continue
        messages: list[dict[str, str]] = []
        for user in prompt:
            messages.append({"role": "user", "content": user})
            text = generate(model, tokenizer, prompt_ids(tokenizer, messages)[1], sample)
            messages.append({"role": "assistant", "content": text})
            print(f"> *User:* {user}\\")
            print(f"> *Model:* {text}".replace("\n\n", "\n>\n> ") +
                  ("\\" if user != prompt[-1] else "\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demo_model"))
    parser.add_argument("--model", type=Path, default=Path("models/demo"))
    parser.add_argument("--samples-only", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    if not args.samples_only:
        print("| stream | held-out tokens | loss (nats/token) | perplexity | bits per byte |")
        print("|---|---|---|---|---|")
        for name in MIXTURE:
            loss, count, bits = stream_loss(model, tokenizer, args.work / f"{name}.heldout.npz")
            print(f"| {name} | {count} | {loss:.3f} | {math.exp(loss):.1f} | {bits:.3f} |", flush=True)
    for sample in (False, True):
        print("\n### " + ("Sampled" if sample else "Greedy") + "\n")
        print_samples(model, tokenizer, sample)


if __name__ == "__main__":
    main()
