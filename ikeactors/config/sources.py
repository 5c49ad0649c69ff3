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
from typing import NamedTuple

from ikeactors.config.daemon_options import FILE
from ikeactors.config.lines import key_lines
from ikeactors.config.mistakes import Mistakes, Place, Refused, Source
from ikeactors.config.syntax import syntax_mistake

# A gigabyte given by mistake would be read whole; 10,000 connections are 5 MB.
MAX_FILE_OCTETS = 64 << 20

_WILDCARDS = re.compile(r"[*?\[]")


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


class Exposure(NamedTuple):
    """Why a file is no place for a secret, and why what it says is not trusted; "" if it is."""

    of_readers: str
    of_writers: str


def read_file(path: Path) -> tuple[bytes, Exposure]:
    """The octets of a file, and who else may read or write it."""
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


def _exposure(path: Path, status: os.stat_result) -> Exposure:
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        text = f"it belongs to user {status.st_uid}, who is neither root nor us: chown root {path}"
        return Exposure(text, "")
    readers = f"its mode {mode:04o} lets others at it: chmod 600 {path}"
    writers = f"its mode {mode:04o} lets everybody write it: chmod o-w {path}"
    return Exposure(
        readers if mode & (stat.S_IRWXG | stat.S_IRWXO) else "",
        writers if mode & stat.S_IWOTH else "",
    )


def _document(path: Path, mistakes: Mistakes) -> Document | None:
    try:
        octets, exposure = read_file(path)
        # Editors of other systems begin a file with a byte order mark.
        content = octets.decode("utf-8-sig")
        tables = tomllib.loads(content)
    except Unreadable as unreadable:
        mistakes.add_file(path, str(unreadable))
    except UnicodeDecodeError as error:
        mistakes.add_file(path, "not UTF-8", octets.count(b"\n", 0, error.start) + 1)
    except ValueError as error:
        mistakes.add_file(path, *syntax_mistake(str(error)))
    except RecursionError:
        mistakes.add_file(path, "no valid TOML: nested too deeply")
    else:
        lines = cache(partial(key_lines, content))
        return Document(Source(path, lines, exposure.of_readers, exposure.of_writers), tables)
    return None


def _included(document: Document, mistakes: Mistakes) -> Iterator[Path]:
    place = Place(document.source, ("include",))
    try:
        patterns = FILE["include"].parse(document.tables.get("include", []))
    except Refused as refused:
        mistakes.refuse(place, refused)
        return
    for pattern in patterns:
        full = os.path.join(os.path.dirname(document.source.path), pattern)
        if os.path.isdir(full):
            nearest = f"{pattern.rstrip('/') or '/'}/*.toml"
            mistakes.add(place, f"a directory; nearest: {nearest}", pattern)
            continue
        paths = sorted(glob.glob(full))
        if not paths and not _WILDCARDS.search(pattern):
            mistakes.add(place, "no such file", pattern)
        yield from map(Path, paths)
