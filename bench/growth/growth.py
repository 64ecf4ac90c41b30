#!/usr/bin/env python3
"""How cost grows with batch, context, prompt, threads and model: tables of tokens a second, by `orrery bench`.

    bench/growth/growth.py [--orrery build/orrery] [--model synthetic:llama-15m:q8_0 ...]

Weights are random. A fraction in brackets is of reading (decode) or of fp32 multiply-adds (prefill), measured in the same run. On
two cores the largest model, with 8,192 tokens of context, takes six minutes.
"""
import argparse
import json
import os
import subprocess

MODELS = ("synthetic:llama-15m:q8_0", "synthetic:qwen3-0.6b:q8_0", "synthetic:llama-3.2-1b:q4_0")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (0, 512, 2048, 8192)
PROMPTS = (16, 128, 512, 2048, 8192)


class Bench:
    def __init__(self, program: str, model: str):
        self.program, self.model = program, model
        self.name = model.split(":", 1)[1].replace(":", " ")

    def run(self, kind: str, *args: object) -> dict:
        command = [self.program, "bench", kind, self.model, *map(str, args), "--json"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{run.stderr[-2000:]}")
        return json.loads(run.stdout)

    def prefill(self, tokens: int, *args: object) -> str:
        found = self.run("latency", "--prompt-tokens", tokens, "--decode-tokens", 1, "--rounds", 3 if tokens < 2048 else 1, *args)
        return cell(found["prefill_tokens_per_s"], found["prefill_flops_fraction"])

    def decode(self, depths: tuple[int, ...], *args: object) -> list[str]:
        found = self.run("latency", "--prompt-tokens", 16, "--decode-tokens", 32, "--rounds", 3, *(f"--depth={d}" for d in depths), *args)
        return [cell(one["decode_tokens_per_s"], one["decode_bandwidth_fraction"]) for one in found["decode"]]

    def batch(self, batches: tuple[int, ...], *args: object) -> list[str]:
        found = self.run("throughput", "--prompt-tokens", 16, "--output-tokens", 33, "--rounds", 1, *(f"--batch={b}" for b in batches), *args)
        return [cell(one["decode_tokens_per_s"]) for one in found["throughput"]]


def cell(tokens_per_s: float, fraction: float | None = None) -> str:
    number = f"{tokens_per_s:,.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.1f}"
    return number if fraction is None else f"{number} ({fraction:.2f})"


def table(title: str, columns: tuple, rows: dict[str, list[str]]) -> None:
    print(f"\n| {title} | " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orrery", default="build/orrery", metavar="PROGRAM")
    parser.add_argument("--model", action="append", metavar="MODEL", help="may be repeated")
    args = parser.parse_args()
    models = [Bench(args.orrery, model) for model in args.model or MODELS]
    counts = sorted({1, max(1, (os.cpu_count() or 1) // 2), os.cpu_count() or 1})
    table("prefill, by prompt", PROMPTS, {m.name: [m.prefill(n) for n in PROMPTS] for m in models})
    table("decode, by context", DEPTHS, {m.name: m.decode(DEPTHS) for m in models})
    table("decode in all, by batch", BATCHES, {m.name: m.batch(BATCHES) for m in models})
    rows = {m.name: [c for n in counts for c in (m.prefill(512, "--threads", n), *m.decode((0,), "--threads", n))] for m in models}
    table("by threads", tuple(f"{what}, {n}" for n in counts for what in ("prefill 512", "decode")), rows)


if __name__ == "__main__":
    main()
