"""What a section of the configuration is: a table of options, and how a section is read by it.

The same tables make the example file and the reference.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ikeactors.config.later import why_not_yet
from ikeactors.config.mistakes import Mistakes, Place, Refused, nearest


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `default` is text of TOML, read by the same parser as what operators write."""

    name: str
    parse: Callable[[object], Any]
    default: str | None
    help: str
    otherwise: str = ""
    """What holds without the option, where that is not a fixed value."""

    example: str = ""
    """Text of TOML for the example, where there is no default."""


Options = Mapping[str, Option]


def options(*rows: Option) -> Options:
    """A section's options by their names, in the order of the example."""
    return {row.name: row for row in rows}


@dataclass(frozen=True, slots=True)
class Section:
    """The values of one section. What is faulty has its default, and takes part in no check."""

    place: Place
    values: Mapping[str, Any]
    written: frozenset[str]
    faulty: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def is_sound(self, *names: str) -> bool:
        """Whether none of these options has a mistake already."""
        return self.faulty.isdisjoint(names)

    def only(self, *names: str) -> dict[str, Any]:
        """Some of the values, by name."""
        return {name: self.values[name] for name in names}


def read_section(
    table: object,
    place: Place,
    known: Options,
    mistakes: Mistakes,
    tables: Collection[str] = (),
) -> Section:
    """The section of a table; `tables` are the names of sections below it, read by themselves."""
    written = as_table(table, place, mistakes)
    report_unknown(written, (*known, *tables), place, mistakes)
    values: dict[str, Any] = {}
    faulty = set() if written is table else set(known)
    for name, option in known.items():
        values[name] = default_of(option)
        if name not in written:
            continue
        try:
            values[name] = option.parse(written[name])
        except Refused as refused:
            mistakes.refuse(place.of(name), refused)
            faulty.add(name)
    return Section(place, values, frozenset(written), frozenset(faulty))


def as_table(value: object, place: Place, mistakes: Mistakes) -> dict[str, object]:
    """The table itself, or an empty one and a mistake."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        mistakes.add(place, f"a table, not a list of tables: write [{place}], in single brackets")
        return {}
    mistakes.add(place, f"a section expected: [{place}]", value)
    return {}


def report_unknown(
    table: Mapping[str, object], known: Collection[str], place: Place, mistakes: Mistakes
) -> None:
    """A mistake for each key that is none of the known ones."""
    for key in table:
        if key not in known:
            message = why_not_yet(key) or f"unknown key{nearest(key, known)}"
            mistakes.add(place.of(key), message)


@lru_cache(maxsize=512)
def default_of(option: Option) -> Any:
    """The value an option has when it is not written."""
    if option.default is None:
        return None
    return option.parse(tomllib.loads(f"value = {option.default}")["value"])
