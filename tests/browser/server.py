"""Runs `orrery serve` on a free port, and sends it what tests need."""

import contextlib
import http.client
import json
import re
import socket
import struct
import subprocess
import threading
import urllib.request


class Server:
    def __init__(self, binary, flags=()):
        self._process = subprocess.Popen([binary, "serve", "--port", "0", *flags], stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.lines = []
        self.url = None
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            found = re.search(r"https?://\S+?(?=[;\s]|$)", line)
            if found:
                self.url = found.group().rstrip("/")
                break
        if self.url is None:
            raise RuntimeError("the server did not start: " + " ".join(self.lines))
        self._drain = threading.Thread(target=lambda: self.lines.extend(self._process.stderr), daemon=True)
        self._drain.start()
        self._watcher = None
        self._next = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=60).read()

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request, timeout=120).read())

    def complete(self, prompt, max_tokens, **more):
        return self.post("/v1/completions", {"model": "demo", "prompt": prompt, "max_tokens": max_tokens, **more})

    def metric(self, name):
        for line in self.get("/metrics").decode().splitlines():
            if line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)

    @contextlib.contextmanager
    def watching(self):
        """A viewer, so that sampling candidates are logged."""
        stream = urllib.request.urlopen(self.url + "/live/events", timeout=600)
        done = threading.Event()

        def read():
            with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
                while not done.is_set():
                    head = stream.read(8)
                    if len(head) < 8:
                        return
                    size, = struct.unpack_from("<I", head, 4)
                    body = stream.read(size)
                    if head[:1] in b"SsE":
                        self._next, = struct.unpack_from("<Q", body)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            with contextlib.suppress(OSError, AttributeError):
                stream.fp.raw._sock.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def num_events(self):
        """Events that the viewer has been given."""
        return self._next
