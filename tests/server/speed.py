#!/usr/bin/env python3
"""Speed figures of `orrery serve`; `make serve-speed`.

    tests/server/speed.py [ORRERY] [--rounds N] [--streams N] [--tokenizer PATH]

Throughput: the same requests through `bench throughput`, which has the engine alone, and through a server with one stream each,
in turns. The client of the server runs on the same cores, and is counted against it.
Intake: from a request's last byte to its tokens in the engine's queue, of prompts of 1,000 tokens, as the server's own
histogram has it. One line per figure; exit status 1 if one misses its limit. Needs nothing but Python.
"""
import argparse
import http.client
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "browser"))
from server import Server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "synthetic:llama-15m"
PROMPT_TOKENS, OUTPUT_TOKENS = 64, 128
failures = []


def report(name, figure, good):
    print(f"{'ok    ' if good else 'MISSED'}  {name}: {figure}", flush=True)
    if not good:
        failures.append(name)


def last_json(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


def throughput(orrery, streams, rounds):
    lengths = ["--prompt-tokens", str(PROMPT_TOKENS), "--output-tokens", str(OUTPUT_TOKENS)]
    with Server(orrery, [MODEL, "--max-num-seqs", str(streams), "--max-queued-requests", str(streams)]) as server:
        def offline():
            run = last_json([orrery, "bench", "throughput", MODEL, "--batch", str(streams), "--rounds", "1", "--json", *lengths])
            return run["throughput"][0]["total_tokens_per_s"]

        def served(seed):
            run = last_json([orrery, "bench", "serve", "--url", server.url, "--model", MODEL, "--requests", str(streams),
                             "--seed", str(seed), "--json", *lengths])
            assert run["complete"] == streams, run
            return streams * (PROMPT_TOKENS + OUTPUT_TOKENS) / run["seconds"]

        served(0)
        pairs = []
        for k in range(rounds):
            first = offline() if k % 2 == 0 else None
            with_server = served(k + 1)
            pairs.append((with_server, first or offline()))
    ratios = sorted(a / b for a, b in pairs)
    report(f"{streams} streams beside bench throughput", f"{statistics.median(ratios):.3f} of its tokens a second "
           f"({ratios[0]:.3f} to {ratios[-1]:.3f} in {rounds} pairs; offline {statistics.median(b for _, b in pairs):.0f})",
           statistics.median(ratios) >= 0.9)


def histogram(server, name):
    """Bounds and cumulative counts, sum, count."""
    text = server.get("/metrics").decode()
    buckets = [(float(bound), float(n)) for bound, n in re.findall(rf'^{name}_bucket{{.*le="([^"]+)"}} (\S+)$', text, re.M)]
    return buckets, server.metric(f"{name}_sum"), server.metric(f"{name}_count")


def send_and_hang_up(server, body):
    """Once the request has had time to reach the engine: its answer is not waited for."""
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    time.sleep(0.05)
    connection.close()


def intake(orrery, tokenizer, requests=100):
    with Server(orrery, ["synthetic:qwen2.5-0.5b:q4_0", "--num-kv-blocks", "256", "--max-num-batched-tokens", "64",
                         "--tokenizer", tokenizer]) as server:
        name = "synthetic:qwen2.5-0.5b:q4_0"
        words = " ".join(path.read_text() for path in sorted(ROOT.glob("doc/*.md"))).split()

        def tokens_of(text):
            return server.post("/tokenize", {"model": name, "prompt": text})["count"]

        def prompt(begin):
            """As many words as make 1,000 tokens."""
            low, high = 1, 1200
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if tokens_of(" ".join(words[begin:begin + middle])) < 1000 else (low, middle)
            return " ".join(words[begin:begin + low])

        prompts = [prompt(begin) for begin in range(0, 2000, 200)]
        for k in range(requests):
            send_and_hang_up(server, {"model": name, "prompt": prompts[k % len(prompts)], "max_tokens": 4})
        buckets, total, count = histogram(server, "orrery:request_intake_seconds")
        within = max((n for bound, n in buckets if bound <= 0.001), default=0)
        assert count == requests, count
        report(f"intake of {count:.0f} prompts of {tokens_of(prompts[0])} tokens",
               f"{1e3 * total / count:.3f} ms on average, {100 * within / count:.1f} % within 1 ms", total / count < 0.001)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("orrery", nargs="?", default="build/orrery")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--tokenizer", default=str(ROOT / "models/demo"), help="whose prompts go in; of up to 151,936 ids")
    options = parser.parse_args()
    throughput(options.orrery, options.streams, options.rounds)
    intake(options.orrery, options.tokenizer)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
