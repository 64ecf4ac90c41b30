#!/usr/bin/env python3
"""Pictures of the live page at moments of its recording, and the recording as one HTML page.

    tests/browser/make_pictures.py build/orrery doc          the pictures of the documentation and doc/live-page.html
    tests/browser/make_pictures.py build/orrery FOLDER all   every moment in two themes, two languages, three widths
"""

import itertools
import json
import os
import sys
import time

from chromium import Chromium
from server import Server

MOMENTS = {"one": 0.62, "many": 0.65, "shared": 0.5, "long": 0.62}
WIDTHS = (1600, 1024, 390)
SMALL_ENGINE = ["--num-kv-blocks", "256", "--max-num-seqs", "32", "--max-num-batched-tokens", "64", "--threads", "1"]  # as `make serve`
OF_THE_DOCUMENTATION = {("many", "dark", "en", 1600): "live-page", ("one", "paper", "zh", 1600): "live-page.zh",
                        ("shared", "paper", "en", 1024): "live-page-shared", ("long", "dark", "zh", 390): "live-page-narrow"}


def show(browser, url, theme, language, width):
    browser.resize(width, 900)
    browser.emulate(prefers_reduced_motion="reduce")  # nothing half-way
    browser.open(f"{url}/?live=off&theme={theme}&lang={language}&at=0")


def go_to(browser, moment):
    """So far into a chapter of the recording."""
    part = MOMENTS[moment]
    browser.run(f"""(() => {{ const p = orrery.page.view.player;
        const k = p.bookmarks.findIndex(b => b.name === '{moment}');
        const from = p.bookmarks[k].at, to = p.bookmarks[k + 1]?.at ?? p.length;
        p.seek(Math.floor(from + (to - from) * {part})); p.stepOn('step');
        orrery.loop.chosen = 0; orrery.loop.focus = 0; orrery.loop.reset(p.state); orrery.page.dirty = true; }})()""")
    time.sleep(0.7)


def picture(browser, path):
    width = browser.run("innerWidth")
    browser.resize(width, browser.run("document.body.scrollHeight"))
    time.sleep(0.5)
    browser.screenshot(path, full=False)
    print(path, os.path.getsize(path))


def compare(browser, url, theme, language, width, technique):
    """What a technique is worth, measured now (three times), and the last run without it in view."""
    browser.resize(width, 900)
    browser.emulate(prefers_reduced_motion="reduce")
    browser.open(f"{url}/?theme={theme}&lang={language}", until="!!window.orrery?.page.live && orrery.switches.allowed")
    for _ in range(3):
        browser.run(f"document.querySelector('[data-compare={technique}]').click(); document.activeElement.blur()")
        time.sleep(0.3)
        browser.wait("!orrery.switches.busy", 300)
    browser.run("""(() => { const p = orrery.page.live.player, { events } = p;
        orrery.pause(false);
        const switched = [];
        for (let i = 0; i < events.length; ++i) if (events.kind(i) === 25) switched.push(i);
        const [from, to] = switched.slice(-3);  // without, with, as before
        p.seek(Math.floor(from + (to - from) * 0.24)); p.stepOn('step');
        orrery.loop.reset(p.state); orrery.page.dirty = true; })()""")
    time.sleep(0.7)


def main():
    binary, folder = sys.argv[1:3]
    every = sys.argv[3:] == ["all"]
    os.makedirs(folder, exist_ok=True)
    with Server(binary, ["--num-kv-blocks", "40"]) as server, Chromium() as browser:
        for theme in ("dark", "paper"):
            for language in ("en", "zh"):
                for width in WIDTHS:
                    for moment in MOMENTS:
                        name = OF_THE_DOCUMENTATION.get((moment, theme, language, width))
                        if every:
                            name = f"{moment}-{theme}-{language}-{width}"
                        if name:
                            show(browser, server.url, theme, language, width)
                            go_to(browser, moment)
                            picture(browser, os.path.join(folder, name + ".png"))
        with Server(binary, SMALL_ENGINE) as small:
            looks = itertools.product(("dark", "paper"), ("en", "zh"), WIDTHS) if every else [("dark", "en", 1600)]
            for theme, language, width in looks:
                compare(browser, small.url, theme, language, width, "paging")
                name = f"paging-{theme}-{language}-{width}" if every else "live-page-techniques"
                picture(browser, os.path.join(folder, name + ".png"))
        if not every:
            browser.emulate()
            browser.open(server.url + "/?live=off")
            path = os.path.join(folder, "live-page.html")
            with open(path, "w") as file:
                file.write(browser.run("orrery.html()"))
            print(path, os.path.getsize(path))
        problems = browser.problems()
    if problems:
        sys.exit(json.dumps(problems))


if __name__ == "__main__":
    main()
