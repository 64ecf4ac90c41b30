#!/usr/bin/env python3
"""Pictures of the live page at moments of its recording, and the recording as one HTML page.

    tests/browser/make_pictures.py build/orrery doc          the pictures of the documentation and doc/live-page.html
    tests/browser/make_pictures.py build/orrery FOLDER all   every moment in two themes, two languages, three widths
"""

import json
import os
import sys
import time

from chromium import Chromium
from server import Server

MOMENTS = {"one": 0.62, "many": 0.72, "shared": 0.5, "long": 0.62}
WIDTHS = (1600, 1024, 390)
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
