"""Writes tests/golden/sampler/processed.json: distributions after Hugging Face's logits processors.

    python tools/make_sampler_goldens.py          # needs torch, transformers; everything follows from fixed seeds

The processors are called in Orrery's order (repetition penalty, temperature, min_p, top_k, top_p, typical_p), each
renormalising over what the one before left. Left out is where Hugging Face and vLLM differ and Orrery follows vLLM: no
logits are equal, since Hugging Face keeps every token that ties with the k-th. A case in which float32 and float64
keep different tokens decides nothing and is refused; tokens below 2^-126 of the most probable have no normal float32
probability and count as cut.
"""
import json
import pathlib

import torch
from transformers.generation import logits_process as hf

OUT = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "sampler" / "processed.json"
VOCAB_SIZE = 320

PROMPT = [3, 17, 17, 101, 250, 319, 0]
CASES = [
    {},
    {"temperature": 0.3},
    {"temperature": 1.7},
    {"top_k": 1},
    {"top_k": 40},
    {"temperature": 0.7, "top_k": 319},
    {"top_p": 0.1},
    {"top_p": 0.9},
    {"temperature": 1.3, "top_p": 0.5},
    {"min_p": 0.05},
    {"temperature": 0.8, "min_p": 0.3},
    {"typical_p": 0.2},
    {"typical_p": 0.9},
    {"temperature": 1.5, "typical_p": 0.6},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7, "temperature": 0.9},
    {"top_k": 50, "top_p": 0.8},
    {"min_p": 0.02, "top_k": 60, "top_p": 0.7},
    {"temperature": 0.9, "min_p": 0.01, "top_k": 100, "top_p": 0.95, "typical_p": 0.8, "repetition_penalty": 1.1},
]


def make_rows() -> list[list[float]]:
    """Flat, middling and peaked rows of distinct logits with four decimals."""
    rows = []
    for seed, spread in enumerate((0.7, 2.0, 5.0)):
        generator = torch.Generator().manual_seed(seed)
        row = [round(x, 4) for x in (torch.randn(VOCAB_SIZE, generator=generator) * spread).tolist()]
        while len(set(row)) < len(row):
            row = [round(x + 1e-4 * (row[:i].count(x)), 4) for i, x in enumerate(row)]
        rows.append(row)
    return rows


def processors(case: dict) -> list:
    made = []
    if "repetition_penalty" in case:
        made.append(hf.RepetitionPenaltyLogitsProcessor(case["repetition_penalty"]))
    if "temperature" in case:
        made.append(hf.TemperatureLogitsWarper(case["temperature"]))
    if "min_p" in case:
        made.append(hf.MinPLogitsWarper(case["min_p"]))
    if "top_k" in case:
        made.append(hf.TopKLogitsWarper(case["top_k"]))
    if "top_p" in case:
        made.append(hf.TopPLogitsWarper(case["top_p"]))
    if "typical_p" in case:
        made.append(hf.TypicalLogitsWarper(case["typical_p"]))
    return made


def process(row: list[float], case: dict, dtype: torch.dtype) -> torch.Tensor:
    scores = torch.tensor([row], dtype=torch.float32).to(dtype)
    for processor in processors(case):
        scores = processor(torch.tensor([PROMPT]), scores)
    return scores.softmax(dim=-1)[0]


def kept_ids(probabilities: torch.Tensor) -> list[int]:
    return (probabilities >= probabilities.max() * 2**-126).nonzero().flatten().tolist()


def main() -> None:
    rows = make_rows()
    cases = []
    for index, row in enumerate(rows):
        for case in CASES:
            probabilities = process(row, case, torch.float64)
            ids = kept_ids(probabilities)
            if ids != kept_ids(process(row, case, torch.float32)):
                raise SystemExit(f"row {index}, {case}: decided by rounding; choose another value")
            kept = [float(f"{probabilities[i].item():.8g}") for i in ids]
            cases.append({"row": index, "params": case, "ids": ids, "probabilities": kept})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    golden = {"prompt_ids": PROMPT, "rows": rows, "cases": cases}
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{OUT.name}: {len(cases)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
