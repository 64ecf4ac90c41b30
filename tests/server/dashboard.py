#!/usr/bin/env python3
"""Every expression of deploy/grafana/orrery.json, asked of a real Prometheus that scrapes `orrery serve` under load.

    tests/server/dashboard.py [ORRERY]      needs the program prometheus (Debian package prometheus) and nothing else
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "browser"))
from server import Server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
orrery = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/orrery"


def get(url):
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def load(server, stop):
    while not stop.is_set():
        server.complete("Once upon a time there was a little girl who", 24)


def expressions_answered(prometheus_url):
    """How many of the dashboard's expressions have numbers for all their samples, and how many there are."""
    answered = count = 0
    dashboard = json.loads((ROOT / "deploy/grafana/orrery.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$model_name", "demo").replace("$__rate_interval", "10s")
            answer = get(f"{prometheus_url}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            values = [float(sample["value"][1]) for sample in answer["data"]["result"]]
            good = bool(values) and all(value == value for value in values)
            answered += good
            count += 1
            print(f"{'ok    ' if good else 'MISSED'}  {panel['title']}: {target['legendFormat']} = {values}")
    return answered, count


def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Server(orrery, ["demo"]) as server, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: orrery\n"
                          f"    static_configs: [{{targets: ['{server.url.removeprefix('http://')}']}}]\n")
        prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                                       f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(server, stop)) for _ in range(4)]
        try:
            for thread in threads:
                thread.start()
            time.sleep(15)
            answered, count = expressions_answered(f"http://127.0.0.1:{port}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            prometheus.terminate()
            prometheus.wait()
    print(f"\n{answered} of {count} expressions answered")
    sys.exit(0 if answered == count else 1)


if __name__ == "__main__":
    main()
