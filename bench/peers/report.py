"""Pairs of runs as ratios and fractions of limits, and tables of them."""
import statistics

import targets
from synthetic_gguf import matrix_flops
from shapes import SHAPES, Shape
from workload import SPEED, Workload

SERVED = {  # key -> name, and whether more is better
    "ttft_p50": ("first token after, p50", False),
    "ttft_p99": ("first token after, p99", False),
    "itl_p99": ("between tokens, p99", False),
    "tokens_per_s": ("tokens/s", True),
    "seconds": ("seconds in all", False),
}


def workload_of(entry: dict) -> Workload:
    return Workload(**entry["workload"]) if "workload" in entry else SPEED


def prefill_flops(shape: Shape, prompt: int) -> float:
    """Of the whole prompt: logits of the last token only; a token attends to half of the others on average."""
    layers, logits = matrix_flops(shape)
    attention = 4 * shape.layers * shape.heads * shape.head_dim * prompt / 2
    return prompt * (layers + attention) + logits


def fraction(entry: dict, measure: str, tokens_per_s: float, limits: dict) -> tuple[float, str]:
    """Of what the machine could do just before, and what that is: reading, or the products of the format."""
    shape = next(s for s in SHAPES if s.name == entry["shape"])
    work = workload_of(entry)
    if measure in ("decode", "deep"):
        context = work.depth if measure == "deep" else 0
        read = entry["matrix_bytes"] + context * shape.kv_bytes_per_token()
        return read * tokens_per_s / limits["read_bytes_per_s"], "read"
    kind = "flops_bf16" if entry["format"] == "bf16" else "ops_int8"
    if limits.get(kind) is None:
        kind = "flops_f32"
    flops = prefill_flops(shape, work.prompt) / work.prompt if measure == "prefill" else sum(matrix_flops(shape))
    return flops * tokens_per_s / limits[kind], kind.split("_")[1]


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def fractions(entry: dict, measure: str, side: str) -> tuple[float, str]:
    found = [fraction(entry, measure, pair[side][measure], pair["limits"][side]) for pair in entry["pairs"]]
    return statistics.median(value for value, _ in found), found[0][1]


def verdicts(asked: tuple[targets.Target, ...], found: dict[str, float]) -> str:
    return "; ".join(target.verdict(found) for target in asked) or "–"


def speed_rows(entry: dict) -> list[str]:
    rows, work = [], workload_of(entry)
    asked = dict(targets.SPEED.get((entry["shape"], entry["format"]), {}))
    if work.prompt != SPEED.prompt:
        asked.pop("prefill", None)  # what is asked is of 512 tokens
    for measure in work.measures:
        ours = [pair["ours"][measure] for pair in entry["pairs"]]
        theirs = [pair["theirs"][measure] for pair in entry["pairs"]]
        ratios = [o / t for o, t in zip(ours, theirs)]
        (of_ours, limit), (of_theirs, _) = (fractions(entry, measure, side) for side in ("ours", "theirs"))
        flash = "" if entry["flash"][measure] else "\u00a0¹"
        found = {limit: of_ours, targets.PEER: statistics.median(ratios)}
        rows.append(f"| {entry['shape']} {entry['format']} | {work.name(measure)} "
                    f"| {number(statistics.median(ours))} | {number(statistics.median(theirs))}{flash} "
                    f"| {spread(ratios)} | {of_ours:.2f} {limit} | {of_theirs:.2f} {limit} "
                    f"| {verdicts(asked.get(measure, ()), found)} |")
    return rows


def speed_table(entries: list[dict]) -> str:
    reads = [limits["read_bytes_per_s"] / 1e9
             for entry in entries for pair in entry["pairs"] for limits in pair["limits"].values()]
    lines = ["| model | measure | ours, tokens/s | llama.cpp | ratio: median (range) | ours of the limit | theirs | asked |",
             "|---|---|---|---|---|---|---|---|"]
    lines += [row for entry in entries for row in speed_rows(entry)]
    lines += ["", "¹ faster without flash attention, so measured without; everything else of theirs with it.",
              f"Read bandwidth during the runs: {min(reads):.0f}–{max(reads):.0f} GB/s."]
    return "\n".join(lines)


def served_table(entries: list[dict]) -> str:
    lines = ["| load | measure | ours | llama-server | times as good: median (range) | asked |",
             "|---|---|---|---|---|---|"]
    for entry in entries:
        asked = targets.SERVED.get(entry.get("kind"), {})
        for key, (name, more_is_better) in SERVED.items():
            ours = [pair["ours"][key] for pair in entry["pairs"]]
            theirs = [pair["theirs"][key] for pair in entry["pairs"]]
            ratios = [o / t if more_is_better else t / o for o, t in zip(ours, theirs)]
            unit = "" if key == "tokens_per_s" else " s"
            lines.append(f"| {entry['model']}: {entry['load']} | {name} "
                         f"| {statistics.median(ours):.3g}{unit} | {statistics.median(theirs):.3g}{unit} "
                         f"| {spread(ratios, 1)} "
                         f"| {verdicts((asked[key],) if key in asked else (), {targets.PEER: statistics.median(ratios)})} |")
    return "\n".join(lines)


def accuracy_table(entries: list[dict]) -> str:
    lines = ["| file | tokens | perplexity, ours | llama.cpp | difference | at most, % |", "|---|---|---|---|---|---|"]
    for one in entries:
        percent = 100 * (one["ours"] / one["theirs"] - 1)
        lines.append(f"| {one['model']} | {one['tokens']:,} | {one['ours']:.4f} | {one['theirs']:.4f} "
                     f"| {percent:+.3f} % | {targets.at_most(targets.ACCURACY_PERCENT, abs(percent))} |")
    return "\n".join(lines)


def start_table(entries: list[dict]) -> str:
    lines = ["| second start, a checkpoint of 1B | least | median | at most |", "|---|---|---|---|"]
    for one in entries:
        first = one["first_text_ms"]
        lines += [f"| {one['quantization']}: exec to first text, ms | {min(first):.0f} | {statistics.median(first):.0f} "
                  f"| {targets.at_most(targets.START_MS, statistics.median(first))} |",
                  f"| {one['quantization']}: peak memory of weights and KV | | {one['peak']:.3f} "
                  f"| {targets.at_most(targets.START_MEMORY, one['peak'])} |"]
    return "\n".join(lines)


def text_of(result: dict) -> str:
    """Everything that was measured, as Markdown."""
    parts = [f"{result['ours']} beside {result['peer']}\n{result['cpu']}, {result['threads']} threads"]
    tables = {"speed": speed_table, "long": speed_table, "served": served_table, "accuracy": accuracy_table,
              "start": start_table}
    parts += [table(result[part]) for part, table in tables.items() if result.get(part)]
    return "\n\n".join(parts)
