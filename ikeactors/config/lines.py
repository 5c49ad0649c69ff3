"""On which line of a TOML file each key stands. A reading aid: it guesses where TOML is unusual."""

from __future__ import annotations

import re
import tomllib

from ikeactors.config.mistakes import KeyPath

_KEY = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*')"
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_MULTILINE = re.compile(r"\"\"\"|'''")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The first line of every key and every section, also of those that are only implied."""
    found: dict[KeyPath, int] = {}
    section: KeyPath = ()
    within_text = False
    for number, line in enumerate(text.splitlines(), start=1):
        was_within_text = within_text
        within_text ^= len(_MULTILINE.findall(line)) % 2 == 1
        if was_within_text:
            continue
        if header := _HEADER.match(line):
            path = section = _path(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            path = (*section, *_path(assignment[1]))
        else:
            continue
        for end in range(1, len(path) + 1):
            found.setdefault(path[:end], number)
    return found


def _path(dotted: str) -> KeyPath:
    """The keys of a dotted key, with the quotes off."""
    if '"' not in dotted and "'" not in dotted:
        return tuple(key.strip() for key in dotted.split("."))
    try:
        table: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    keys = []
    while isinstance(table, dict):
        key, table = next(iter(table.items()))
        keys.append(key)
    return tuple(keys)
