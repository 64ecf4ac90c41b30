#!/usr/bin/env python3
"""Every expression of deploy/grafana/orrery.json, asked of a real Prometheus that scrapes `orrery serve` under load.

    tests/server/dashboard.py [ORRERY]      needs the program prometheus (Debian package prometheus) and nothing else
"""
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
orrery = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/orrery"


def get(url, body=None):
    request = urllib.request.Request(url, body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def load(url, stop):
    while not stop.is_set():
        get(url + "/v1/completions", {"model": "demo", "prompt": "Once upon a time there was a little girl who", "max_tokens": 24})


def main():
    server = subprocess.Popen([orrery, "serve", "demo", "--port", "0"], stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    port = re.search(r"http://[^:]+:(\d+)", line).group(1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        prometheus_port = probe.getsockname()[1]
    folder = tempfile.TemporaryDirectory()
    config = pathlib.Path(folder.name) / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: orrery\n"
                      f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder.name}/data",
                                   f"--web.listen-address=127.0.0.1:{prometheus_port}", "--log.level=error"])
    stop = threading.Event()
    threads = [threading.Thread(target=load, args=(f"http://127.0.0.1:{port}", stop)) for _ in range(4)]
    missing = count = 0
    try:
        for thread in threads:
            thread.start()
        time.sleep(15)
        dashboard = json.loads((ROOT / "deploy/grafana/orrery.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$model_name", "demo").replace("$__rate_interval", "10s")
                answer = get(f"http://127.0.0.1:{prometheus_port}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
                values = [float(sample["value"][1]) for sample in answer["data"]["result"]]
                good = bool(values) and all(value == value for value in values)
                missing += not good
                count += 1
                print(f"{'ok    ' if good else 'MISSED'}  {panel['title']}: {target['legendFormat']} = {values}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        prometheus.terminate()
        prometheus.wait()
        server.terminate()
        server.wait()
    print(f"\n{count - missing} of {count} expressions answered")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
