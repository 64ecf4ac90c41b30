#!/usr/bin/env python3
"""Makes the recording that the live page plays while the engine is idle, from a real run of `orrery serve`.

    tests/browser/make_recording.py build/orrery src/live/page/idle.orrery
"""

import gzip
import json
import struct
import sys
import threading
import time
import urllib.request
import zlib

from server import Server

STORY = ("Once upon a time, in a village by the sea, there lived an old fisherman. He had many friends, and every evening they "
         "sat by the fire. The wind blew, and the rain fell on the roof. One evening the fisherman told them about a ")
HEROES = ["king", "fox", "farmer", "robot", "dragon"]
LONG = ("In the forest there stood a small house, and in the house there lived an old woman with her cat, her hen and "
        "her three sons, who were all fond of each other. ")


def send(server, prompt, max_tokens, wait=0.0, **more):
    def run():
        time.sleep(wait)
        server.complete(prompt, max_tokens, **{"temperature": 0.7, "top_p": 0.95, "seed": 7, **more})
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def chapters_of(server):
    """Plays the four scenes; where each begins."""
    chapters = []

    def chapter(name, threads):
        chapters.append({"name": name, "event": server.num_events()})
        for thread in threads():
            thread.join()
        time.sleep(0.4)

    chapter("one", lambda: [send(server, "The future of AI is", 18, top_k=12, seed=4)])
    chapter("words", lambda: [send(server, "你好，世界 🪐", 8, temperature=0)])
    chapter("many", lambda: [send(server, f"Once upon a time, in land number {k}, there lived a {HEROES[k % len(HEROES)]} who "
                                          "wanted to see the sea. One day", 26 + (k * 7) % 17, k * 0.002, seed=k,
                                  ignore_eos=True) for k in range(1, 15)])
    chapter("shared", lambda: [send(server, STORY + hero, 26, 0.015 * (k > 0) + 0.003 * k, seed=k + 1,
                                          ignore_eos=True) for k, hero in enumerate(HEROES)])
    chapter("long", lambda: [send(server, f"Once upon a time a {hero} lived near the forest.", 32, k * 0.003, seed=k + 1,
                                  ignore_eos=True) for k, hero in enumerate(HEROES)] + [send(server, LONG * 8, 8, 0.025)])
    return chapters


def events_of(data):
    """Metadata, and the records of 32 bytes."""
    size, = struct.unpack_from("<I", data, 16)
    metadata, at, events = json.loads(data[24:24 + size]), 24 + size, []
    while True:
        count, = struct.unpack_from("<I", data, at + 8)
        at += 16
        if count == 0:
            return metadata, events
        events += [data[at + 32 * i:at + 32 * (i + 1)] for i in range(count)]
        at += 32 * count


def file_of(metadata, events):
    """doc/step-event-log.md"""
    text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    head = b"ORREVENT" + struct.pack("<III", 1, 32, len(text))
    out = head + struct.pack("<I", zlib.crc32(text, zlib.crc32(head))) + text
    for first in list(range(0, len(events), 65536)) + [len(events)]:
        part = events[first:first + 65536]
        head = struct.pack("<QI", first, len(part))
        out += head + struct.pack("<I", zlib.crc32(b"".join(part), zlib.crc32(head))) + b"".join(part)
    return out


KIND_ARRIVED, KIND_SAMPLED, KIND_FILTERED, KIND_CANDIDATE, KIND_FINISHED = 3, 18, 19, 20, 23
MOST_CANDIDATES = 9  # of a draw; the page shows eight as bars


def top_candidates(events):
    """Of each draw the first candidates, which are the most probable, and the one drawn; all other events."""
    keep, drawn, first = [], 0, 0
    for at, e in enumerate(events):
        if e[12] != KIND_CANDIDATE:
            first = at + 1
            keep.append(True)
            continue
        if at == first:  # the draw comes after its candidates
            drawn = next(s[16:20] for s in events[at:] if s[12] == KIND_SAMPLED)
        keep.append(at - first < MOST_CANDIDATES or e[16:20] == drawn)
    return keep


def lean(metadata, events, chapters):
    """Keeps sampling candidates only of the oldest request at each moment, which is the one that the page shows: they
    are most of the bytes, and a page should be small. Of those the first ones, and the one drawn."""
    kind = [e[12] for e in events]
    request = [struct.unpack_from("<I", e, 8)[0] for e in events]
    unfinished, keep = set(), []
    for k, r in zip(kind, request):
        if k == KIND_ARRIVED:
            unfinished.add(r)
        elif k == KIND_FINISHED:
            unfinished.discard(r)
        keep.append(k not in (KIND_FILTERED, KIND_CANDIDATE) or r == min(unfinished, default=0))
    keep = [a and b for a, b in zip(keep, top_candidates(events))]
    for chapter in chapters:
        chapter["event"] = sum(keep[:chapter["event"]])
    events = [e for e, kept in zip(events, keep) if kept]
    used = set()
    for e in events:
        count = struct.unpack_from("<H", e, 14)[0] if e[12] == 4 else 1 if e[12] in (18, KIND_CANDIDATE) else 0
        used |= {str(i) for i in struct.unpack_from("<4i", e, 16)[:count]}
    for part in ("texts", "bytes"):
        metadata[part] = {i: text for i, text in metadata.get(part, {}).items() if i in used}
    return file_of({**metadata, "chapters": chapters}, events)


def main():
    binary, out = sys.argv[1:]
    flags = ["--num-kv-blocks", "40", "--max-num-seqs", "14", "--max-num-batched-tokens", "96", "--threads", "1"]
    with Server(binary, flags) as server, server.watching():
        chapters = chapters_of(server)
        data = urllib.request.urlopen(server.url + "/live/snapshot").read()
    file = lean(*events_of(data), chapters)
    with open(out, "wb") as opened:
        opened.write(file)
    print(f"{out}: {len(file)} bytes, {len(gzip.compress(file))} compressed, chapters at {[c['event'] for c in chapters]}")


if __name__ == "__main__":
    main()
