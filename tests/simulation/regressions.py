"""Seeds that have shown something, and the invariants whose fix is still awaited."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("regressions.toml")


@dataclass(frozen=True, slots=True)
class Regression:
    """A seed, and what it showed when it was found."""

    seed: int
    showed: str


def regressions() -> list[Regression]:
    """All seeds that are kept."""
    return [Regression(**one) for one in _content().get("regressions", ())]


def awaited() -> frozenset[str]:
    """Invariants that are known not to hold yet: they are counted, and break no run."""
    return frozenset(_content().get("awaited", {}))


def _content() -> dict[str, list[dict[str, str]]]:
    return tomllib.loads(_FILE.read_text())
