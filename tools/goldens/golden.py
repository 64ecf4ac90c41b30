"""Greedy tokens and logits of a Hugging Face model in float32, written in a form that C++ reads easily.

A golden NAME is NAME.json and NAME.bin. The JSON holds for each prompt its `prompt_token_ids`, the
greedy `token_ids` that follow (end-of-sequence ignored) and where its logits lie in the .bin file:
`num_positions` rows of `vocab_size` float32 (little-endian) from float `offset` on; row i is what the
model says after the token at position `first_position + i` of prompt + token_ids.
"""
import json
import pathlib
import random

import numpy as np
import torch

ROOT = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "models"
NUM_GREEDY = 24
# Between the first and the second choice, as a fraction of the largest logit: over twice the 1e-3
# that an implementation may be off, so that its greedy tokens must be equal.
MIN_MARGIN = 2.5e-3
MIN_DISTINCT = 12  # of the 24 greedy tokens: a golden that repeats one token shows little


class Oracle:
    """A model in float32 with eager attention. With `pad_to`, every forward pass has that many tokens.

    Causal attention ignores what follows, so padding changes nothing but the sequence length, from
    which dynamic rope scaling takes its base.
    """

    def __init__(self, model, pad_to: int | None = None):
        self.model = model.eval()
        self.pad_to = pad_to

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> torch.Tensor:
        padded = ids + [0] * ((self.pad_to or 0) - len(ids))
        return self.model(torch.tensor([padded]), use_cache=False).logits[0, :len(ids)]

    @torch.inference_mode()
    def cached_logits(self, ids: list[int], prompt_len: int) -> torch.Tensor:
        """The prompt at once, then token by token with the KV cache: what serving does."""
        out = self.model(torch.tensor([ids[:prompt_len]]), use_cache=True)
        rows = [out.logits[0]]
        for token in ids[prompt_len:]:
            out = self.model(torch.tensor([[token]]), past_key_values=out.past_key_values)
            rows.append(out.logits[0])
        return torch.cat(rows)

    def greedy(self, prompt: list[int], special: set[int]) -> list[int] | None:
        """NUM_GREEDY tokens, or None where a choice is too close or the text is poor."""
        ids = list(prompt)
        for _ in range(NUM_GREEDY):
            row = self.logits(ids)[-1]
            best = row.topk(2).values
            if (best[0] - best[1]) < MIN_MARGIN * row.abs().max() or int(row.argmax()) in special:
                return None
            ids.append(int(row.argmax()))
        out = ids[len(prompt):]
        return out if len(set(out)) >= MIN_DISTINCT else None


def relative_difference(a, b) -> float:
    """Largest difference over largest magnitude: the measure of the 1e-3 that tests allow."""
    return float((a - b).abs().max() / b.abs().max())


def make_golden(path: pathlib.Path, oracle: Oracle, lengths: list[int], special: set[int],
                header: dict) -> dict:
    """Finds prompts of these lengths by trial, checks them, writes path.json and path.bin.

    Logits are kept for every position of the shortest sequence, for the greedy choices of the
    longest, and for the first choice of the others.
    """
    rng = random.Random(header["name"])
    vocab_size = oracle.model.config.vocab_size
    usable = [i for i in range(3, vocab_size - 6) if i not in special]
    rows, prompts, offset = [], [], 0
    for length in lengths:
        for _ in range(200):
            prompt = rng.choices(usable, k=length)
            if (tokens := oracle.greedy(prompt, special)) is not None:
                break
        else:
            raise RuntimeError(f"{path.name}: no prompt of {length} tokens has clear choices")
        logits = oracle.logits(prompt + tokens)
        if oracle.pad_to is None:
            cached = oracle.cached_logits(prompt + tokens, length)
            assert relative_difference(cached, logits) < 1e-4, path.name
        first, count = length - 1, 1
        if length == min(lengths):
            first, count = 0, length + NUM_GREEDY
        elif length == max(lengths):
            count = NUM_GREEDY + 1
        rows.append(logits[first:first + count].numpy())
        prompts.append({"prompt_token_ids": prompt, "token_ids": tokens,
                        "logits": {"first_position": first, "num_positions": count,
                                   "offset": offset}})
        offset += count * vocab_size
    path.parent.mkdir(parents=True, exist_ok=True)
    np.concatenate(rows).astype("<f4").tofile(path.with_name(path.name + ".bin"))
    golden = header | {"vocab_size": vocab_size, "logits_file": path.name + ".bin",
                       "prompts": prompts}
    path.with_name(path.name + ".json").write_text(dump(golden))
    return golden


def dump(golden: dict) -> str:
    """JSON with one line per key, and per prompt, instead of one per token."""
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items() if k != "prompts"]
    prompts = ",\n".join("  " + json.dumps(p) for p in golden["prompts"])
    return "{\n" + ",\n".join(lines) + ',\n "prompts": [\n' + prompts + "\n ]\n}\n"


def write_manifest() -> None:
    """manifest.json: every golden with what to load for it; made from the goldens themselves."""
    goldens = []
    for path in sorted(ROOT.rglob("*golden*.json")):
        golden = json.loads(path.read_text())
        entry = {k: golden[k] for k in ("name", "model", "architecture", "format", "max_model_len",
                                        "notes")}
        goldens.append(entry | {"golden": str(path.relative_to(ROOT))})
    (ROOT / "manifest.json").write_text(
        '{"goldens": [\n' + ",\n".join(" " + json.dumps(g) for g in goldens) + "\n]}\n")
