"""What the tables of options share: words, lists, levels."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeVar

from ikeactors.config.values import listed, word

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)


def enumeration(*members: E) -> dict[str, E]:
    """The words of an enumeration."""
    return {str(member.value): member for member in members}


def flat(item: Callable[[object], tuple[T, ...]]) -> Callable[[object], tuple[T, ...]]:
    """A list of which each element may stand for several."""
    parse = listed(item)
    return lambda value: tuple(dict.fromkeys(one for several in parse(value) for one in several))


def later(what: str, instead: str) -> str:
    """Why a word that is known is refused, and what to write."""
    return f"{what} is not available yet: write {instead}"


LEVELS = ("debug", "info", "warning", "error")
LEVEL = word({level: level for level in LEVELS})
LEVEL_OR_INHERITED = word({level: level for level in (*LEVELS, "")})
