#!/usr/bin/env python3
"""Orrery beside llama.cpp on the same files, in alternating runs; prints ratios.

    compare.py                       everything, an hour on two cores; --part to choose, --pairs 3 for ranges
    compare.py --quick               two small models in q8_0, and perplexity, in a few minutes
    compare.py --show A.json B.json  the tables of earlier runs together

Needs numpy, gguf and llama-cpp-python (README.md beside this file). With --peer-bin the servers are compared too.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import sys
from collections.abc import Callable, Iterator

import accuracy
import report
import served
import synthetic_gguf
from llama_cpp_peer import Binding, Programs
from orrery import Orrery
from shapes import SHAPES, Shape
from workload import LONG, SPEED, Workload

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench/start"))
import start  # noqa: E402  (of that folder)

PARTS = ("speed", "long", "served", "accuracy", "start")
LONG_MODEL = SERVED_MODEL = ("llama-3.2-1b", "q4_0")
START_ROUNDS = 10


def cpu_name() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    return f"{fields.get('model name', platform.machine())} (family {fields.get('cpu family')}, " \
           f"model {fields.get('model')})"


def in_turns(pairs: int, ours: Callable, theirs: Callable) -> Iterator[tuple]:
    """Results of both for each pair; who goes first alternates too."""
    for i in range(pairs):
        if i % 2 == 0:
            first = ours()
            yield first, theirs()
        else:
            second = theirs()
            yield ours(), second


class Comparison:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.orrery = Orrery(args.orrery, args.threads, args.activation_bits)
        self.peer = Programs(args.peer_bin, args.threads) if args.peer_programs else Binding(args.threads)

    def model_file(self, shape: Shape, fmt: str) -> pathlib.Path:
        return synthetic_gguf.make(shape, fmt, self.args.work, self.peer.quantise)

    def speed(self, shape: Shape, fmt: str, work: Workload) -> dict:
        path = self.model_file(shape, fmt)
        say(f"{shape.name} {fmt}: {', '.join(map(work.name, work.measures))}")
        model = self.peer.open(shape, work, path)
        model.choose()

        def one(measure):
            limits = dataclasses.asdict(self.orrery.probe())
            return limits, measure()

        pairs = []
        for (our_limits, ours), (their_limits, theirs) in in_turns(
                1 if work == LONG else self.args.pairs, lambda: one(lambda: self.orrery.measure(shape, path, work)),
                lambda: one(model.measure)):
            pairs.append({"ours": ours, "theirs": theirs,
                          "limits": {"ours": our_limits, "theirs": their_limits}})
        model.close()
        return {"shape": shape.name, "format": fmt, "matrix_bytes": synthetic_gguf.matrix_bytes(path),
                "workload": dataclasses.asdict(work), "flash": model.flash, "pairs": pairs}

    def served(self, load: served.Load) -> dict:
        name, fmt = SERVED_MODEL
        path = self.model_file(shape_of(name), fmt)
        say(f"served: {load.name}")
        servers = served.Servers(self.orrery, self.args.peer_bin, self.args.work)
        pairs = [{"ours": ours, "theirs": theirs} for ours, theirs in in_turns(
            self.args.pairs, lambda: servers.load("ours", path, load),
            lambda: servers.load("theirs", path, load))]
        return {"model": f"{name} {fmt}", "load": load.name, "kind": load.kind, "pairs": pairs}

    def accuracy_folder(self) -> pathlib.Path:
        return self.args.data / "models/tinystories-656k"

    def accuracy_files(self) -> list[pathlib.Path]:
        files = sorted(self.accuracy_folder().glob("gguf/*.gguf"))
        if not files:
            say(f"no perplexities: no GGUF files in {self.accuracy_folder()}/gguf")
        return files

    def accuracy(self, path: pathlib.Path) -> dict:
        texts = [self.accuracy_folder() / "reference/perplexity_text.txt",
                 *(self.args.data / "text/en" / name for name in ("tinystories_sample.txt",
                                                                  "wikitext-2-valid.txt"))]
        say(f"perplexity: {path.name}")
        return accuracy.compare(self.orrery, path, texts)

    def starts(self) -> Iterator[dict]:
        tokenizer = self.args.data / "tokenizers/llama3/tokenizer.model"
        if not tokenizer.exists():
            say(f"no starts: there is no {tokenizer}")
            return
        say("second start")
        program, quantization = str(self.args.orrery), "q4_0"
        series = start.measure([program], self.args.work / "start", tokenizer, quantization, START_ROUNDS)[program]
        yield {"quantization": quantization, "first_text_ms": series.first_text_ms(),
               "peak": series.peak_bytes() / series.needed_bytes()}

    def run(self) -> dict:
        args = self.args
        result = {"ours": self.orrery.describe(), "peer": self.peer.name, "cpu": cpu_name(),
                  "threads": args.threads, **{part: [] for part in PARTS}}
        for part, entry in self.entries():
            result[part].append(entry)
            if args.json:  # at once: an interrupted run has shown something too
                args.json.write_text(json.dumps(result, indent=1) + "\n")
        return result

    def entries(self) -> Iterator[tuple[str, dict]]:
        args = self.args
        if "speed" in args.part:
            chosen = [(shape, fmt) for shape in SHAPES if shape.name in args.shape
                      for fmt in shape.formats if fmt in args.format]
            yield from (("speed", self.speed(shape, fmt, SPEED)) for shape, fmt in chosen)
        if "long" in args.part:
            name, fmt = LONG_MODEL
            yield "long", self.speed(shape_of(name), fmt, LONG)
        if "served" in args.part and args.peer_bin:
            loads = (served.arrivals(32), served.shared_prefix())
            yield from (("served", self.served(load)) for load in loads)
        if "accuracy" in args.part:
            yield from (("accuracy", self.accuracy(path)) for path in self.accuracy_files())
        if "start" in args.part:
            yield from (("start", entry) for entry in self.starts())


def shape_of(name: str) -> Shape:
    return next(shape for shape in SHAPES if shape.name == name)


def say(text: str) -> None:
    print(f"== {text}", flush=True)


def show(paths: list[pathlib.Path]) -> None:
    results = [json.loads(path.read_text()) for path in paths]
    together = results[0]
    for result in results[1:]:
        for part in PARTS:
            together[part] = together.get(part, []) + result.get(part, [])
    print(report.text_of(together))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder = pathlib.Path
    parser.add_argument("--orrery", type=folder, default=ROOT / "build/orrery", metavar="PROGRAM")
    parser.add_argument("--peer-bin", type=folder, metavar="FOLDER",
                        help="llama.cpp's programs: llama-server for the served part")
    parser.add_argument("--peer-programs", action="store_true",
                        help="measure speed too by llama-bench of --peer-bin instead of llama-cpp-python")
    parser.add_argument("--work", type=folder, default=ROOT / "build/peers", metavar="FOLDER",
                        help="where the model files are made and kept (10 GB; default build/peers)")
    parser.add_argument("--data", type=folder, metavar="FOLDER",
                        default=os.environ.get("ORRERY_DATA", ROOT.parent / "shared/data"),
                        help="texts and a trained model (default $ORRERY_DATA)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--activation-bits", type=int, choices=(8, 16), default=16,
                        help="of ours; theirs have 8 where weights are quantised (default 16)")
    parser.add_argument("--pairs", type=int, default=1, metavar="N",
                        help="runs of each (default 1; of prompts of 8,192 tokens one always)")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; may be repeated")
    names = [shape.name for shape in SHAPES]
    parser.add_argument("--shape", action="append", choices=names, help="only this; may be repeated")
    parser.add_argument("--format", action="append", choices=("bf16", "q8_0", "q4_0", "q4_k_m"),
                        help="only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="two pairs of qwen3-0.6b q8_0 and llama-15m q8_0, perplexity")
    parser.add_argument("--json", type=folder, metavar="FILE", help="write what was measured")
    parser.add_argument("--show", type=folder, nargs="+", metavar="FILE", help="print files of --json, run nothing")
    args = parser.parse_args()
    if args.quick:
        args.shape, args.format, args.part = ["qwen3-0.6b", "llama-15m"], ["q8_0"], ["speed", "accuracy"]
        args.pairs = max(args.pairs, 2)
    args.part = args.part or list(PARTS)
    args.shape = args.shape or names
    args.format = args.format or ["bf16", "q8_0", "q4_0", "q4_k_m"]
    if args.peer_programs and not args.peer_bin:
        parser.error("--peer-programs needs --peer-bin")
    return args


def main() -> None:
    args = parse()
    if args.show:
        show(args.show)
        return
    result = Comparison(args).run()
    print("\n" + report.text_of(result))


if __name__ == "__main__":
    main()
