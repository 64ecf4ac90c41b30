#!/usr/bin/env python3
"""Draws what a command prints in a terminal as an SVG: a real output, with its colours, line after line.

    tools/cast_svg.py --out doc/stages.svg -- build/orrery run demo -p 'Once upon a time' --stages --max-tokens 3

The command runs in a pseudo-terminal, so that it colours its output. Viewers that do not animate show the whole. Lines
beyond --rows are left out, with a mark that says so.
"""
import argparse
import html
import os
import pty
import re
import shlex
import subprocess
import sys
import unicodedata

CELL_W, CELL_H, FONT = 8.4, 19, 14
PAD, BAR = 18, 34
COLOURS = {31: "#ff8b7e", 32: "#9fd67a", 33: "#f0c674", 34: "#82b1ff", 35: "#d6a2f2", 36: "#7fd1d8", 90: "#8a94a8",
           91: "#ff8b7e", 92: "#9fd67a", 93: "#f0c674", 94: "#82b1ff", 95: "#d6a2f2", 96: "#7fd1d8"}
TEXT, DIM, GROUND, BAR_GROUND = "#e4e8f0", "#8a94a8", "#161b26", "#202736"


def run(command: list[str], columns: int) -> str:
    """The output of the command in a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                               env=os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)})
    os.close(theirs)
    out = bytearray()
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not data:
            break
        out += data
    text = out.decode().replace("\r\n", "\n")
    if process.wait() != 0:
        sys.exit(f"{shlex.join(command)}: exit status {process.returncode}\n{text}")
    return text


def width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def spans(line: str, columns: int) -> list[tuple[str, dict]]:
    """The line cut where its style changes; a carriage return starts it again; cut at the last column."""
    line = line.rsplit("\r", 1)[-1]
    style: dict = {}
    parts, used = [], 0
    for piece in re.split(r"(\x1b\[[0-9;?]*[A-Za-z])", line):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if match:
            for code in (int(c or 0) for c in match[1].split(";")):
                if code == 0:
                    style = {}
                elif code == 1:
                    style = style | {"font-weight": "600"}
                elif code == 2:
                    style = style | {"fill": DIM}
                elif code in COLOURS:
                    style = style | {"fill": COLOURS[code]}
        elif piece and not piece.startswith("\x1b"):
            shown = piece
            while used + width(shown) > columns:
                shown = shown[:-1]
            used += width(shown)
            parts.append((shown, style))
    return parts


def draw(command: list[str], lines: list[str], columns: int, seconds: float) -> str:
    w = round(columns * CELL_W + 2 * PAD)
    h = round((len(lines) + 1) * CELL_H + BAR + 1.5 * PAD)
    title = html.escape(shlex.join(command))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img" font-size="{FONT}" fill="{TEXT}"',
           "  font-family=\"'JetBrains Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace\">",
           f"<title>{title}</title>",
           "<style>text{white-space:pre}"
           "@media (prefers-reduced-motion: no-preference){.l{animation:show .2s both}}"
           "@keyframes show{from{opacity:0}to{opacity:1}}</style>",
           f'<rect width="{w}" height="{h}" rx="10" fill="{GROUND}"/>',
           f'<path d="M0 10 Q0 0 10 0 H{w - 10} Q{w} 0 {w} 10 V{BAR} H0 z" fill="{BAR_GROUND}"/>']
    out += [f'<circle cx="{18 + 18 * i}" cy="{BAR / 2:g}" r="5.5" fill="{c}"/>'
            for i, c in enumerate(("#ff6b5e", "#f5bf4f", "#61c554"))]
    y = BAR + PAD + FONT / 2
    out.append(f'<text x="{PAD}" y="{y:g}" xml:space="preserve"><tspan fill="#9fd67a">$</tspan> {title}</text>')
    for number, line in enumerate(lines, 1):
        x = float(PAD)
        cells = []
        for text, style in spans(line, columns):
            attributes = "".join(f' {k}="{v}"' for k, v in style.items())
            if text.strip():
                lead = len(text) - len(text.lstrip(" "))
                cells.append(f'<tspan x="{x + lead * CELL_W:.1f}" textLength="{width(text.strip(" ")) * CELL_W:.1f}"{attributes}>'
                             f'{html.escape(text.strip(" "))}</tspan>')
            x += width(text) * CELL_W
        if cells:
            delay = f"{0.6 + seconds * number / len(lines):.2f}s"
            out.append(f'<text class="l" style="animation-delay:{delay}" y="{y + number * CELL_H:g}" xml:space="preserve">'
                       + "".join(cells) + "</text>")
    return "\n".join(out + ["</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=6, help="of the animation")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        parser.error("no command")
    lines = run(command, args.columns).rstrip("\n").split("\n")
    if len(lines) > args.rows:
        lines = lines[:args.rows - 1] + [f"\x1b[2m… {len(lines) - args.rows + 1} more lines\x1b[0m"]
    shown = [os.path.basename(command[0])] + command[1:]
    with open(args.out, "w", encoding="utf-8") as file:
        file.write(draw(shown, lines, args.columns, args.seconds))


if __name__ == "__main__":
    main()
