#!/usr/bin/env python3
"""What the live page costs the engine, and the browser.

    tests/browser/live_page_cost.py build/orrery viewers [ROUNDS]    256 streams without and with one viewer, in turns, nine minutes each
    tests/browser/live_page_cost.py build/orrery frames [SECONDS]    script time of a frame: 256 requests, 8,192 blocks
    tests/browser/live_page_cost.py build/orrery heap [MINUTES]      the page's heap under a load that does not end
"""

import contextlib
import os
import re
import statistics
import sys
import threading
import time

from chromium import Chromium
from server import Server

PROMPTS = [f"Tale {k}. Once upon a time, in land number {k}, there lived a king" for k in range(256)]


def cpu_seconds(pid):
    """Of each thread, user and system, in nanoseconds' resolution."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            found[thread] = int(file.read().split()[0]) / 1e9
    return found


def viewers(binary, rounds):
    """Of the 15M shape with 256 streams, with a core left to the viewer and its client, then with the engine on all. A shared
    machine's speed moves by a tenth from one second to the next, so by the clock what counts is the mean of many pairs of
    short windows, and its error. What is exact is the processor time of the threads that do not compute."""
    cpus = os.cpu_count() or 1
    for threads in sorted({max(1, cpus - 1), cpus}):
        viewers_beside(binary, rounds, threads)


@contextlib.contextmanager
def no_viewer():
    yield


def window(server, threads):
    """Seconds between two tokens of a stream, which are whole steps; and the processor time that other threads than the busiest,
    which compute, took in a second."""
    def now():
        metrics = server.get("/metrics").decode()
        between = [float(re.search(rf"^vllm:inter_token_latency_seconds_{part}{{.*}} (\S+)$", metrics, re.M)[1]) for part in ("sum", "count")]
        return between, time.monotonic(), cpu_seconds(server.pid)
    time.sleep(0.6)  # a viewer that has come is given the past first
    (sum_before, count_before), began, cpu_before = now()
    time.sleep(2)
    (sum_after, count_after), ended, cpu = now()
    busy = sorted(cpu[thread] - cpu_before.get(thread, 0) for thread in cpu)
    return (sum_after - sum_before) / (count_after - count_before), sum(busy[:-threads]) / (ended - began)


def viewers_beside(binary, rounds, threads):
    done = threading.Event()
    pairs = []
    with Server(binary, ["synthetic:llama-15m", "--seed", "1", "--threads", str(threads), "--max-num-seqs", "256",
                         "--served-model-name", "demo"]) as server:
        clients = keep_busy(server, done, [[k, 7, 11, 13] * 4 for k in range(256)], tokens=200)
        time.sleep(5)
        for k in range(rounds):
            found = {}
            for viewer in ((no_viewer, server.watching) if k % 2 == 0 else (server.watching, no_viewer)):
                with viewer():
                    found[viewer == no_viewer] = window(server, threads)
            pairs.append((found[True], found[False]))
        done.set()
        for client in clients:
            client.join()
    slower, error = trimmed([100 * (watched[0] / without[0] - 1) for without, watched in pairs])
    of_all, its_error = trimmed([100 * (watched[1] - without[1]) / (os.cpu_count() or 1) for without, watched in pairs])
    step = statistics.median(without[0] for without, _ in pairs)
    print(f"one viewer, {threads} threads of {os.cpu_count()} CPUs, steps of {1e3 * step:.0f} ms: slower by the clock {slower:+.2f} % "
          f"(± {error:.2f}); threads that do not compute take {of_all:+.3f} % (± {its_error:.3f}) of all cores more "
          f"({rounds} pairs, without the outer tenths)", flush=True)


def trimmed(values):
    """Mean without the outer tenths, and two standard errors of it."""
    values = sorted(values)
    values = values[len(values) // 10:len(values) - len(values) // 10]
    return statistics.mean(values), 2 * statistics.stdev(values) / len(values) ** 0.5


# Times each frame from before the page's own script begins: to that script's end, and until the browser has laid out and
# painted, after which it comes to a message.
TIMED = """(() => { window.frameMs = []; window.wholeMs = []; const request = window.requestAnimationFrame.bind(window);
  const after = new MessageChannel(); let began = 0;
  after.port1.onmessage = () => window.wholeMs.push(performance.now() - began);
  window.requestAnimationFrame = (callback) => request((now) => {
    began = performance.now(); after.port2.postMessage(null); callback(now); window.frameMs.push(performance.now() - began); }); })()"""


def keep_busy(server, done, prompts=PROMPTS, tokens=300):
    """By 16 clients; their first answers have different lengths, so that at any time requests are as far on as at another."""
    clients = 16

    def one(k):
        length = max(1, tokens * (k + 1) // clients)
        while not done.is_set():
            server.complete(prompts[k::clients], length, ignore_eos=True)
            length = tokens
    threads = [threading.Thread(target=one, args=(k,)) for k in range(clients)]
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
        browser.run("window.frameMs.length = window.wholeMs.length = 0")
        time.sleep(seconds)
        found = browser.run("[window.frameMs, window.wholeMs]")
        print(f"{len(found[0])} frames in {seconds} s; load of the machine {os.getloadavg()[0]:.1f}")
        for name, ms in zip(("script of a frame", "with layout and paint"), map(sorted, found)):
            print(f"{name}: median {ms[len(ms) // 2]:.1f} ms, 95 % within {ms[int(len(ms) * 0.95)]:.1f} ms, 99 % within {ms[int(len(ms) * 0.99)]:.1f} ms")
        ms = found[0]
        print("processor time of the page's thread a frame:",
              ", ".join(f"{name} {(ms_now - before[name]) / len(ms):.1f} ms" for name, ms_now in main_thread_ms(browser).items()))
        ms = sorted(e["tdur"] / 1e3 for e in browser.trace(seconds / 2, "devtools.timeline")
                    if e["name"] == "FireAnimationFrame" and "tdur" in e)
        print(f"processor time of a frame's script, of {len(ms)} traced frames: median {ms[len(ms) // 2]:.1f} ms, "
              f"95 % within {ms[int(len(ms) * 0.95)]:.1f} ms, 99 % within {ms[int(len(ms) * 0.99)]:.1f} ms")
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
