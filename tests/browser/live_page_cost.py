#!/usr/bin/env python3
"""What the live page costs the engine, and the browser.

    tests/browser/live_page_cost.py build/orrery viewers [ROUNDS]    a load without and with one viewer, in turns, four minutes each
    tests/browser/live_page_cost.py build/orrery frames [SECONDS]    script time of a frame: 256 requests, 8,192 blocks
    tests/browser/live_page_cost.py build/orrery heap [MINUTES]      the page's heap under a load that does not end
"""

import contextlib
import os
import statistics
import sys
import threading
import time

from chromium import Chromium
from server import Server

PROMPTS = [f"Tale {k}. Once upon a time, in land number {k}, there lived a king" for k in range(256)]


def cpu_seconds(pid):
    """Of all threads, user and system, in nanoseconds' resolution."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def viewers(binary, rounds):
    """With a core left to the viewer and its client, then with the engine on all, where a thread that steps aside makes the
    others wait for it. A shared machine's speed moves by a tenth from one second to the next, so what counts is the mean of
    many pairs of short windows, and its error; CPU time a token is that of all threads of the server."""
    cpus = os.cpu_count() or 1
    for threads in sorted({max(1, cpus - 1), cpus}):
        viewers_beside(binary, rounds, threads)


@contextlib.contextmanager
def no_viewer():
    yield


def speed(server):
    """Tokens a second by the clock, and of CPU time."""
    time.sleep(0.6)  # a viewer that has come is given the past first
    tokens, began, cpu = server.metric("vllm:generation_tokens_total"), time.monotonic(), cpu_seconds(server.pid)
    time.sleep(0.6)
    tokens = server.metric("vllm:generation_tokens_total") - tokens
    return tokens / (time.monotonic() - began), tokens / (cpu_seconds(server.pid) - cpu)


def viewers_beside(binary, rounds, threads):
    done = threading.Event()
    pairs = []
    with Server(binary, ["--seed", "1", "--threads", str(threads)]) as server:
        clients = keep_busy(server, done, streams=64, tokens=200)
        time.sleep(1)
        for k in range(rounds):
            found = {}
            for viewer in ((no_viewer, server.watching) if k % 2 == 0 else (server.watching, no_viewer)):
                with viewer():
                    found[viewer == no_viewer] = speed(server)
            pairs.append((found[True], found[False]))
        done.set()
        for client in clients:
            client.join()
    for part, name in enumerate(("by the clock", "CPU time of a token")):
        costs = sorted(100 * (without[part] / watched[part] - 1) for without, watched in pairs)
        costs = costs[len(costs) // 10:len(costs) - len(costs) // 10]
        error = 2 * statistics.stdev(costs) / len(costs) ** 0.5
        print(f"one viewer, {threads} threads of {os.cpu_count()} CPUs, {name}: {statistics.mean(costs):+.2f} % (± {error:.2f}; mean of {rounds} "
              f"pairs without the outer tenths), {statistics.median(without[part] for without, _ in pairs):,.0f} tokens/s without", flush=True)


# Times each frame's script from before the page's own begins.
TIMED = """(() => { window.frameMs = []; const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => request((now) => {
    const began = performance.now(); callback(now); window.frameMs.push(performance.now() - began); }); })()"""


def keep_busy(server, done, streams=len(PROMPTS), tokens=300):
    """By four clients, whose requests end at different times."""
    def one(k):
        while not done.is_set():
            server.complete(PROMPTS[k:streams:4], tokens + 10 * k, ignore_eos=True)
    threads = [threading.Thread(target=one, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    return threads


def with_page(binary, flags, watch):
    done = threading.Event()
    with Server(binary, flags) as server, Chromium() as browser:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=TIMED)
        browser.open(server.url + "/?lang=en&theme=dark", until="!!window.orrery?.page.live")
        browser.wait("orrery.page.connected")
        threads = keep_busy(server, done)
        try:
            watch(browser)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        print("problems:", browser.problems() or "none")


def main_thread_ms(browser):
    """By kind of work; whoever else uses the processor is not counted."""
    names = {"ScriptDuration": "script", "LayoutDuration": "layout", "RecalcStyleDuration": "style", "TaskDuration": "all"}
    metrics = browser.call("Performance.getMetrics")["metrics"]
    return {names[m["name"]]: 1e3 * m["value"] for m in metrics if m["name"] in names}


def frames(binary, seconds):
    def watch(browser):
        browser.wait("[...orrery.page.live.player.state.requests.values()].filter(r => r.status === 'running').length > 250", 120)
        browser.call("Performance.enable", timeDomain="threadTicks")
        before = main_thread_ms(browser)
        browser.run("window.frameMs.length = 0")
        time.sleep(seconds)
        ms = sorted(browser.run("window.frameMs"))
        print(f"{len(ms)} frames in {seconds} s: script of a frame, median {ms[len(ms) // 2]:.1f} ms, 95 % within "
              f"{ms[int(len(ms) * 0.95)]:.1f} ms, 99 % within {ms[int(len(ms) * 0.99)]:.1f} ms; load of the machine {os.getloadavg()[0]:.1f}")
        print("processor time of the page's thread a frame:",
              ", ".join(f"{name} {(ms_now - before[name]) / len(ms):.1f} ms" for name, ms_now in main_thread_ms(browser).items()))
    # A core is left to the browser, as where it runs on another machine.
    threads = max(1, (os.cpu_count() or 1) - 1)
    with_page(binary, ["--num-kv-blocks", "8192", "--max-num-seqs", "256", "--threads", str(threads)], watch)


def heap(binary, minutes):
    def watch(browser):
        for half in range(2 * minutes + 1):
            browser.call("HeapProfiler.collectGarbage")
            used = browser.call("Runtime.getHeapUsage")["usedSize"]
            events = browser.run("orrery.page.live.player.length + orrery.page.live.player.dropped")
            print(f"{half / 2:4.1f} min: {used / 2**20:6.1f} MiB of heap after {events:,} events", flush=True)
            time.sleep(30)
    with_page(binary, ["--num-kv-blocks", "1024", "--max-num-seqs", "64"], watch)


def main():
    binary, what = sys.argv[1:3]
    number = int(sys.argv[3]) if len(sys.argv) > 3 else {"viewers": 100, "frames": 20, "heap": 10}[what]
    {"viewers": viewers, "frames": frames, "heap": heap}[what](binary, number)


if __name__ == "__main__":
    main()
