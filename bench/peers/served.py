"""The servers under the same requests, sent and timed by `orrery bench serve`."""
import contextlib
import dataclasses
import json
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator

from orrery import Orrery

VOCAB = 20000  # prompts are ids below it
START_TIMEOUT_S = 120


@dataclasses.dataclass(frozen=True)
class Load:
    """Requests, as a trace of `orrery bench serve`."""
    kind: str  # as targets.SERVED names it
    name: str
    suffix: str  # of the trace's file
    lines: list[str]
    requests: int
    output: int  # tokens of each answer
    at_once: int  # the client has so many under way; 0: as they arrive
    length: int  # that a request may have, in tokens

    def slots(self) -> int:
        return self.at_once or self.requests


def arrivals(requests: int) -> Load:
    """One request a second, 50 to 300 tokens in, 64 out."""
    rng = random.Random(0)
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    lines += [f"2024-01-01 00:{i // 60:02}:{i % 60:02}.0000000,{rng.randint(50, 300)},64"
              for i in range(requests)]
    name = f"{requests} requests, one a second, 50-300 tokens in, 64 out"
    return Load("arrivals", name, ".csv", lines, requests, 64, 0, 512)


def shared_prefix() -> Load:
    """16 requests that begin with the same 1,024 tokens (two blocks of a trace), 4 at a time, 16 out."""
    lines = [json.dumps({"timestamp": 0, "input_length": 1040, "output_length": 16,
                         "hash_ids": [0, 1, 2 + i]}) for i in range(16)]
    name = "16 requests with one prefix of 1,024 tokens, 4 at a time, 16 out"
    return Load("prefix", name, ".jsonl", lines, 16, 16, 4, 2048)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def serving(command: list[str], url: str, log: pathlib.Path) -> Iterator[None]:
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + START_TIMEOUT_S
        while not answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


class Servers:
    """Ours with its defaults; llama-server with a slot for each request that can be under way."""

    def __init__(self, orrery: Orrery, peer_folder: pathlib.Path, work: pathlib.Path):
        self.orrery, self.peer_folder, self.work = orrery, peer_folder, work

    def our_command(self, model: pathlib.Path, port: int, load: Load) -> list[str]:
        return [str(self.orrery.program), "serve", str(model), "--port", str(port),
                "--threads", str(self.orrery.threads), "--max-model-len", str(load.length), *self.orrery.flags]

    def peer_command(self, model: pathlib.Path, port: int, load: Load) -> list[str]:
        return [str(self.peer_folder / "llama-server"), "-m", str(model), "--port", str(port),
                "-t", str(self.orrery.threads), "-np", str(load.slots()), "-c", str(load.slots() * load.length),
                "-fa", "on", "--no-webui"]

    def load(self, side: str, model: pathlib.Path, load: Load) -> dict[str, float]:
        """Latencies in seconds, tokens per second, and how long everything took."""
        trace = self.work / f"load{load.suffix}"
        trace.write_text("\n".join(load.lines) + "\n")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = (self.our_command if side == "ours" else self.peer_command)(model, port, load)
        common = ["bench", "serve", "--url", url, "--model", model, "--vocab-size", VOCAB]
        with serving(command, url, self.work / f"{side}.log"):
            self.orrery.json_of(*common, "--requests", 1, "--prompt-tokens", 32, "--output-tokens", 4,
                                "--seed", 1)
            found = self.orrery.json_of(*common, "--trace", trace, "--max-len", load.length,
                                        "--requests", load.requests, "--max-concurrency", load.at_once)
        return {"ttft_p50": found["ttft_s"]["p50"], "ttft_p99": found["ttft_s"]["p99"],
                "itl_p99": found["itl_s"]["p99"], "seconds": found["seconds"],
                # Not as the server counts them: llama-server tells with the last token, not after it.
                "tokens_per_s": load.requests * load.output / found["seconds"]}
