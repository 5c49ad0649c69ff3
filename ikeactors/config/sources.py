"""The files of a configuration: the one that is named, and those it includes."""

from __future__ import annotations

import glob
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from ikeactors.config.lines import key_lines
from ikeactors.config.mistakes import Mistakes, Place, Refused, Source
from ikeactors.config.options import FILE

# A gigabyte given by mistake would be read whole; 10,000 connections are 5 MB.
MAX_FILE_OCTETS = 64 << 20

_WILDCARDS = re.compile(r"[*?\[]")
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class Document:
    """A file and the tables in it."""

    source: Source
    tables: dict[str, object]


class Unreadable(Exception):
    """A file cannot be read; the text says why."""


def read_documents(path: Path, mistakes: Mistakes) -> list[Document]:
    """The file and all that it includes, as far as they can be read."""
    main = _document(path, mistakes)
    if main is None:
        return []
    documents = [main]
    seen = {path.resolve()}
    for included in _included(main, mistakes):
        if included.resolve() in seen:
            continue
        seen.add(included.resolve())
        document = _document(included, mistakes)
        if document is None:
            continue
        if "include" in document.tables:
            mistakes.add(Place(document.source, ("include",)), "only the first file may include")
        documents.append(document)
    return documents


def read_file(path: Path) -> tuple[bytes, str]:
    """The octets of a file, and why it is no place for a secret ("" if it is)."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file")
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from None
    if len(octets) > MAX_FILE_OCTETS:
        raise Unreadable("too large")
    return octets, _exposure(path, status)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe, too, at once."""
    return os.open(path, flags | os.O_NONBLOCK)


def _exposure(path: Path, status: os.stat_result) -> str:
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"its mode {mode:04o} lets others at it: chmod 600 {path}"
    if status.st_uid not in (0, os.geteuid()):
        return f"it belongs to user {status.st_uid}, who is neither root nor us: chown root {path}"
    return ""


def _document(path: Path, mistakes: Mistakes) -> Document | None:
    try:
        octets, exposure = read_file(path)
        content = octets.decode("utf-8")
        tables = tomllib.loads(content)
    except Unreadable as unreadable:
        mistakes.add_file(path, str(unreadable))
    except UnicodeDecodeError as error:
        mistakes.add_file(path, "not UTF-8", octets.count(b"\n", 0, error.start) + 1)
    except ValueError as error:
        mistakes.add_file(path, *_syntax_mistake(str(error)))
    except RecursionError:
        mistakes.add_file(path, "no valid TOML: nested too deeply")
    else:
        return Document(Source(path, cache(partial(key_lines, content)), exposure), tables)
    return None


def _syntax_mistake(message: str) -> tuple[str, int]:
    """What TOML's reader says, and on which line."""
    found = _AT_LINE.search(message)
    if found is None:
        return f"no valid TOML: {message}", 0
    return f"no valid TOML: {message[: found.start()]}, column {found[2]}", int(found[1])


def _included(document: Document, mistakes: Mistakes) -> Iterator[Path]:
    place = Place(document.source, ("include",))
    try:
        patterns = FILE["include"].parse(document.tables.get("include", []))
    except Refused as refused:
        mistakes.refuse(place, refused)
        return
    for pattern in patterns:
        full = os.path.join(os.path.dirname(document.source.path), pattern)
        paths = sorted(glob.glob(full))
        if not paths and not _WILDCARDS.search(pattern):
            mistakes.add(place, "no such file", pattern)
        yield from map(Path, paths)
