"""What is wrong in a configuration: all of it, gathered, and told in one line each.

A parser raises `Refused`; whoever knows where the value stands makes a `Mistake` of it. The text of
a secret gets into neither.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ikeactors.errors import Fault
from ikeactors.wire.octets import printable

KeyPath = tuple[str, ...]

HIDDEN = "(not shown)"

# A longer value is a wrong paste; its beginning is enough to find it.
_SHOWN_CHARACTERS = 80

# What may be shown of a section that holds secrets.
_SHOWN_OF_SECRETS = frozenset(
    {"id", "ids", "secret_file", "type", "module", "handle", "slot", "token_label", "pin_file"}
)


class Refused(Exception):
    """A value is not what its option takes: the offending values, each with what is wrong."""

    def __init__(self, *complaints: tuple[object, str]) -> None:
        super().__init__(*complaints)
        self.complaints = complaints


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `value` is fit to be printed, and empty where the key says it all."""

    file: str
    key_path: str
    value: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.key_path, self.value, self.message) if part)


class ConfigurationFaults(Fault):
    """The configuration cannot be used; `mistakes` are all that were found."""

    def __init__(self, mistakes: tuple[Mistake, ...], warnings: tuple[Mistake, ...] = ()) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes
        self.warnings = warnings


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the configuration; `lines` is asked only when there is a mistake to tell."""

    path: Path
    lines: Callable[[], Mapping[KeyPath, int]] = field(default=dict, repr=False)
    exposure: str = ""
    """Why it may not hold a secret, or nothing."""

    tampering: str = ""
    """Why it may not even name one: others could put another in its place."""


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a file."""

    source: Source
    path: KeyPath = ()

    def of(self, *keys: str) -> Place:
        """A key further down."""
        return Place(self.source, (*self.path, *keys))

    @property
    def line(self) -> int:
        """The line of the key, or of the nearest table around it; 0 if unknown."""
        lines = self.source.lines()
        ends = range(len(self.path), 0, -1)
        return next((lines[self.path[:end]] for end in ends if self.path[:end] in lines), 0)

    @property
    def is_secret(self) -> bool:
        """Whether what stands here must not be shown."""
        return self.path[:1] == ("secrets",) and self.path[-1] not in _SHOWN_OF_SECRETS

    def __str__(self) -> str:
        return ".".join(map(_key_text, self.path))


class Mistakes:
    """The mistakes and the warnings found so far."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []
        self.warnings: list[Mistake] = []

    def add(self, place: Place, message: str, value: object = None) -> None:
        """One more; `value` is what was written, if it tells more than its key."""
        shown = "" if value is None else HIDDEN if place.is_secret else shown_value(value)
        file = str(place.source.path)
        self.found.append(Mistake(file, str(place), shown, message, place.line))

    def warn(self, place: Place, message: str) -> None:
        """Something that works and is hardly meant."""
        file = str(place.source.path)
        self.warnings.append(Mistake(file, str(place), "", message, place.line))

    def add_file(self, path: Path, message: str, line: int = 0) -> None:
        """A file that cannot be read."""
        self.found.append(Mistake(str(path), "", "", message, line))

    def warn_file(self, path: Path, message: str) -> None:
        """What somebody should know of a file as a whole."""
        self.warnings.append(Mistake(str(path), "", "", message))

    def refuse(self, place: Place, refused: Refused) -> None:
        """What a parser had to say of the value at `place`."""
        for value, message in refused.complaints:
            self.add(place, message, value)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; nearest: WORD` when a known word is near, otherwise nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; nearest: {found[0]}" if found else ""


def shown_value(value: object) -> str:
    """A value as it stands in TOML, or nearly so, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    octets = _as_text(value).encode("utf-8", "surrogateescape")
    text = printable(octets, _SHOWN_CHARACTERS)
    return f'"{text}"' if isinstance(value, str) else text


def _as_text(value: object) -> str:
    try:
        return str(value)
    except ValueError:
        # Python writes no decimal numbers of thousands of digits.
        return "a number of very many digits"


def _key_text(key: str) -> str:
    plain = key.replace("-", "").replace("_", "")
    return key if plain.isalnum() and key.isascii() else shown_value(key)
