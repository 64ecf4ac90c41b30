"""How long the second start takes, from exec to the first byte of text, and how much memory it has at its peak.

    python3 bench/start/start.py --tokenizer tokenizer.model [--orrery build/orrery] [--quantization q4_0]

Makes a checkpoint of 2.5 GB in --folder (checkpoint.py), starts once to fill the cache of packed weights, then --rounds
times. Pages are in the page cache: the first start has just written them. With several --orrery, they take turns.
"""
import argparse
import os
import pathlib
import statistics
import time
from dataclasses import dataclass

import checkpoint


@dataclass
class Start:
    first_text_s: float
    processor_s: float
    peak_bytes: int


@dataclass
class Series:
    """Starts of one program in turn with those of others, and the bytes of the weights that they map."""
    starts: list[Start]
    weight_bytes: int

    def first_text_ms(self) -> list[float]:
        return sorted(1e3 * s.first_text_s for s in self.starts)

    def peak_bytes(self) -> int:
        return max(s.peak_bytes for s in self.starts)

    def needed_bytes(self) -> int:
        return self.weight_bytes + checkpoint.KV_BYTES_PER_BLOCK


def start(command: list[str]) -> Start:
    read_end, write_end = os.pipe()
    begin = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_CLOSE, read_end)])
    os.close(write_end)
    got = os.read(read_end, 1)
    seconds = time.perf_counter() - begin
    while os.read(read_end, 1 << 16):
        pass
    os.close(read_end)
    _, status, usage = os.wait4(pid, 0)
    if status != 0 or not got:
        raise SystemExit(f"{' '.join(command)}: failed")
    return Start(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def measure(programs: list[str], folder: pathlib.Path, tokenizer: pathlib.Path, quantization: str,
            rounds: int) -> dict[str, Series]:
    """By program, in turns; the first start of each, which packs the weights in its layout, is left out."""
    model, packs = folder / "model", folder / f"pack-{quantization}"
    checkpoint.make(model, tokenizer)
    arguments = ["run", str(model), "-p", "Once", "--max-tokens", "1", "--quantization", quantization,
                 "--pack-cache", str(packs)]
    for pack in packs.glob("*.pack"):
        pack.unlink()  # of an earlier run, maybe in a layout that none of these has
    for program in programs:
        print(f"first start: {start([program, *arguments]).processor_s:.1f} s of processor time", flush=True)
    starts: dict[str, list[Start]] = {program: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            starts[program].append(start([program, *arguments]))
    weight_bytes = max(file.stat().st_size for file in packs.glob("*.pack"))  # one for each layout
    return {program: Series(found, weight_bytes) for program, found in starts.items()}


def report(name: str, series: Series) -> None:
    first, peak, needed = series.first_text_ms(), series.peak_bytes(), series.needed_bytes()
    print(f"{name}: exec to first text {first[0]:.0f} / {statistics.median(first):.0f} / {first[-1]:.0f} ms"
          f" (least, median, most of {len(first)}), processor time"
          f" {1e3 * statistics.median(s.processor_s for s in series.starts):.0f} ms until it ends,"
          f" peak {peak / 1e6:.0f} MB = {peak / needed:.3f} of weights and KV ({needed / 1e6:.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="Llama 3's rank file")
    parser.add_argument("--orrery", action="append", help="the program (default build/orrery); may be repeated")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/start"))
    parser.add_argument("--quantization", default="q4_0")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    found = measure(options.orrery or ["build/orrery"], options.folder, options.tokenizer, options.quantization,
                    options.rounds)
    for program, series in found.items():
        report(program, series)


if __name__ == "__main__":
    main()
