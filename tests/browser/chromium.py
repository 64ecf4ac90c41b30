"""Drives a headless Chromium over its debugging pipe; needs nothing but Python and the program `chromium`."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Chromium:
    """One browser with one page. Use as a context manager."""

    def __init__(self, width=1600, height=1000, scale=1, language="en-US", downloads=None):
        self._profile = tempfile.mkdtemp(prefix="orrery-browser-")
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()

        def connect():
            a, b = os.dup(to_read), os.dup(from_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            raise RuntimeError("expected the program chromium, found none: apt install chromium")
        self._process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--no-default-browser-check", "--disable-extensions", "--disable-dev-shm-usage", f"--lang={language}",
             f"--window-size={width},{height}", f"--user-data-dir={self._profile}", "--remote-debugging-pipe",
             "about:blank"],
            preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self._to, self._from = to_write, from_read
        self._rest = b""
        self._next = 0
        self._session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height, scale)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _read(self, timeout):
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], max(0, timeout))[0]:
                return None
            data = os.read(self._from, 1 << 20)
            if not data:
                raise RuntimeError("chromium ended")
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, timeout=60, **params):
        self._next += 1
        message = {"id": self._next, "method": method, "params": params}
        if self._session and not method.startswith("Target."):
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data):]
        end = time.monotonic() + timeout
        while True:
            answer = self._read(end - time.monotonic())
            if answer is None:
                raise RuntimeError(f"{method}: no answer in {timeout} s")
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def resize(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=False)

    def emulate(self, **features):
        """E.g. prefers_reduced_motion="reduce"."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": k.replace("_", "-"), "value": v} for k, v in features.items()])

    def open(self, url, until="!!window.orrery?.page.view", timeout=30):
        self.call("Page.navigate", url=url)
        self.wait(until, timeout)

    def wait(self, expression, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                if self.run(expression):
                    return
            except RuntimeError:
                pass  # the page is still being replaced
            time.sleep(0.05)
        raise RuntimeError(f"not true within {timeout} s: {expression}; {self.problems()}")

    def run(self, expression, timeout=60):
        result = self.call("Runtime.evaluate", timeout=timeout, expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def press(self, key, code=None):
        text = key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code or key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code or key)

    def screenshot(self, path, full=True):
        extra = {}
        if full:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            extra = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1},
                     "captureBeyondViewport": True}
        data = self.call("Page.captureScreenshot", format="png", **extra)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def trace(self, seconds, *categories):
        """What the browser says of its own work meanwhile."""
        self.call("Tracing.start", transferMode="ReportEvents", traceConfig={"includedCategories": categories})
        time.sleep(seconds)
        self.call("Tracing.end")
        while not any(e["method"] == "Tracing.tracingComplete" for e in self.events):
            message = self._read(60)
            if message is None:
                raise RuntimeError("the trace does not end")
            self.events.append(message)
        found = [one for e in self.events if e["method"] == "Tracing.dataCollected" for one in e["params"]["value"]]
        self.events = [e for e in self.events if not e["method"].startswith("Tracing.")]
        return found

    def problems(self):
        """Errors that the page has logged, and uncaught exceptions."""
        found = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(f'{params["entry"]["text"]} {params["entry"].get("url", "")}')
        return found

    def requests(self):
        """Addresses that the page has asked for."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
