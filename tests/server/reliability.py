#!/usr/bin/env python3
"""Reliability figures of `orrery serve` with the embedded model; `make reliability`.

    tests/server/reliability.py [ORRERY] [--idle N] [--streams N] [--sigterms N] [--kills N] [--soak SECONDS]

Prints one line per figure; exit status 1 if one misses its limit. Needs nothing but Python.
"""
import argparse
import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

MIB = 1 << 20
failures = []


def report(name, figure, good):
    print(f"{'ok    ' if good else 'MISSED'}  {name}: {figure}", flush=True)
    if not good:
        failures.append(name)


class Server:
    def __init__(self, orrery, *flags):
        self.process = subprocess.Popen([orrery, "serve", "demo", "--port", "0", *flags], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        while not line.startswith("serving"):
            if not line:
                raise SystemExit("the server did not start")
            line = self.process.stderr.readline()
        self.port = int(re.search(r":(\d+)(;|$)", line.strip()).group(1))

    def memory(self, field="RssAnon"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{field}:\s+(\d+) kB", status.read()).group(1)) * 1024

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.process.stderr.close()
        return code


def request(path, body=None):
    method = "GET" if body is None else "POST"
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split()[1])
    length = re.search(r"(?i)content-length: (\d+)", head)
    return status, int(length.group(1)) if length else None


async def ask(server, path, body=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request(path, body))
        status, length = await read_head(reader)
        return status, await reader.readexactly(length)
    finally:
        writer.close()


def completion(tokens, **more):
    return {"model": "demo", "prompt": "Once upon a time", "max_tokens": tokens, "temperature": 0, "ignore_eos": True, **more}


class Refused(Exception):
    """No answer was begun: an HTTP status but 200, or no connection."""


class CutOff(Exception):
    """An answer was begun and did not come to its end."""


async def stream(server, body):
    """Its text."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError as error:
        raise Refused() from error
    data = b""
    try:
        writer.write(request("/v1/completions", body))
        status, _ = await read_head(reader)
        if status != 200:
            raise Refused()
        data = b" "
        while not data.endswith(b"0\r\n\r\n"):
            piece = await reader.read(1 << 16)
            if not piece:
                raise CutOff()
            data += piece
        events = re.sub(rb"(?m)^[0-9a-f]+\r\n|\r\n", b"", data[1:]).decode()
        if "data: [DONE]" not in events:
            raise CutOff()
        return "".join(json.loads(e)["choices"][0]["text"] for e in re.findall(r"data: (\{.*\})", events))
    except asyncio.IncompleteReadError as error:
        raise (CutOff if error.partial else Refused)() from error
    except ConnectionError as error:
        raise (CutOff if data else Refused)() from error
    finally:
        writer.close()


async def health_times(server, count):
    """Asked by a process of its own: this one has its streams to read, and would measure how long it takes over that."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return await asyncio.get_running_loop().run_in_executor(apart, ask_health, server.port, count)


def ask_health(port, count):
    return asyncio.run(time_health(port, count))


async def time_health(port, count):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        writer.write(request("/health"))
        status, length = await read_head(reader)
        await reader.readexactly(length)
        assert status == 200
        times.append(time.perf_counter() - begin)
        await asyncio.sleep(0.005)
    writer.close()
    return times


def p99(values):
    return statistics.quantiles(values, n=100)[98]


async def idle_connections(orrery, count):
    server = Server(orrery, "--max-connections", str(count + 100), "--idle-timeout", "1000")
    before = server.memory("VmRSS")
    connections = []
    while len(connections) < count:
        connections += await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", server.port) for _ in range(min(200, count - len(connections)))))
    await asyncio.sleep(1)
    total = server.memory("VmRSS")
    times = await health_times(server, 500)
    report(f"{count} idle connections", f"{total / MIB:.1f} MiB resident in all, {(total - before) / MIB:.1f} MiB of them",
           total - before <= 200 * MIB)
    report(f"/health beside {count} idle connections", f"p99 {p99(times) * 1e3:.2f} ms", p99(times) < 0.05)
    for _, writer in connections:
        writer.close()
    server.stop()


async def concurrent_streams(orrery, count, tokens=32):
    server = Server(orrery, "--max-queued-requests", str(count))
    expected = await stream(server, completion(tokens, stream=True))
    begin = time.perf_counter()
    health = asyncio.create_task(health_times(server, 200))
    texts = await asyncio.gather(*(stream(server, completion(tokens, stream=True)) for _ in range(count)),
                                 return_exceptions=True)
    seconds = time.perf_counter() - begin
    lost = sum(not isinstance(text, str) for text in texts)
    wrong = sum(isinstance(text, str) and text != expected for text in texts)
    report(f"{count} concurrent streams", f"{lost} lost, {wrong} with other bytes, {count * tokens / seconds:.0f} tokens/s",
           lost == wrong == 0)
    times = await health
    report(f"/health beside {count} streams", f"p99 {p99(times) * 1e3:.2f} ms", p99(times) < 0.05)
    server.stop()


async def endings(orrery, how, count):
    """Signals at random moments of a load. SIGTERM: who was let in gets its whole answer, exit status 0."""
    first, codes, answers, wrong = None, {}, {str: 0, CutOff: 0, Refused: 0}, 0
    for _ in range(count):
        server = Server(orrery)
        # What the one before left behind is no matter to this one.
        text = await stream(server, completion(16, stream=True))
        first = first or text
        wrong += text != first
        streams = [asyncio.create_task(stream(server, completion(random.randrange(1, 400), stream=True))) for _ in range(8)]
        await asyncio.sleep(random.uniform(0, 0.3))
        server.process.send_signal(how)
        for result in await asyncio.gather(*streams, return_exceptions=True):
            answers[type(result)] += 1
        code = await asyncio.to_thread(server.process.wait)
        codes[code] = codes.get(code, 0) + 1
        server.process.stderr.close()
    figures = (f"exit codes {codes}; {answers[str]} answers whole, {answers[CutOff]} cut off, {answers[Refused]} not begun; "
               f"{wrong} starts with another first answer")
    if how == signal.SIGTERM:
        report(f"{count} SIGTERMs", figures, set(codes) == {0} and answers[CutOff] == wrong == 0)
    else:
        report(f"{count} kill -9", figures, wrong == 0)


async def soak(orrery, seconds):
    """Conversations that grow; anonymous memory after warm-up."""
    # A pool whose pages have all been touched within the warm-up.
    server = Server(orrery, "--num-kv-blocks", "512")
    end, warm = time.monotonic() + seconds, None
    begin = time.monotonic()

    async def talk():
        while time.monotonic() < end:
            messages = []
            for turn in range(random.randrange(1, 6)):
                messages.append({"role": "user", "content": random.choice(["Hello", "Tell me more.", "Why?", "你好 🙂"])})
                status, body = await ask(server, "/v1/chat/completions",
                                         {"model": "demo", "messages": messages, "max_tokens": random.randrange(1, 40)})
                if status != 200:
                    break
                messages.append({"role": "assistant", "content": json.loads(body)["choices"][0]["message"]["content"] or "."})

    tasks = [asyncio.create_task(talk()) for _ in range(8)]
    while time.monotonic() < end:
        await asyncio.sleep(1)
        if warm is None and time.monotonic() - begin > seconds / 4:
            warm = server.memory()
    await asyncio.gather(*tasks)
    growth = server.memory() - warm
    report(f"{seconds} s of conversations", f"anonymous memory grew by {growth / MIB:.1f} MiB after warm-up", growth <= 20 * MIB)
    server.stop()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("orrery", nargs="?", default="build/orrery")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--sigterms", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--soak", type=int, default=30)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.idle:
        await idle_connections(options.orrery, options.idle)
    if options.streams:
        await concurrent_streams(options.orrery, options.streams)
    if options.sigterms:
        await endings(options.orrery, signal.SIGTERM, options.sigterms)
    if options.kills:
        await endings(options.orrery, signal.SIGKILL, options.kills)
    if options.soak:
        await soak(options.orrery, options.soak)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    asyncio.run(main())
