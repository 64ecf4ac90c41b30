#!/usr/bin/env python3
"""Checks that every #include in src/ keeps to tools/layers.txt. Prints each breach; exit status 1 if there is one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_layers(path: pathlib.Path) -> dict[str, set[str]]:
    """Room -> the rooms it may include. A line that names a room not above it is an error."""
    layers: dict[str, set[str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        room, _, names = line.partition(":")
        for name in names.split():
            if name not in layers:
                sys.exit(f"{path.name}:{number}: '{room}' names '{name}', which is not above it")
        layers[room.strip()] = set(names.split())
    return layers


def room_of(path: str, layers: dict[str, set[str]]) -> str | None:
    """The deepest room whose folder holds the path (relative to src/)."""
    folders = path.split("/")[:-1]
    for depth in range(len(folders), 0, -1):
        room = "/".join(folders[:depth])
        if room in layers:
            return room
    return None


def breaches(layers: dict[str, set[str]]) -> list[str]:
    found = []
    src = ROOT / "src"
    for file in sorted(src.rglob("*")):
        if file.suffix not in {".h", ".cpp", ".cu", ".cuh", ".inc"}:
            continue
        name = file.relative_to(src).as_posix()
        room = room_of(name, layers)
        if room is None:
            found.append(f"src/{name}: its folder has no line in tools/layers.txt")
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            target = match and room_of(match.group(1), layers)
            if match and "/" in match.group(1) and target is None:
                found.append(f"src/{name}:{number}: includes {match.group(1)}, which is in no room")
            elif target and target != room and target not in layers[room]:
                found.append(f"src/{name}:{number}: '{room}' may not include '{target}' ({match.group(1)})")
    return found


if __name__ == "__main__":
    problems = breaches(read_layers(ROOT / "tools" / "layers.txt"))
    print("\n".join(problems) if problems else "layers: every include goes down")
    sys.exit(1 if problems else 0)
