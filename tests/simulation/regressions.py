"""Seeds that have shown something, and the invariants whose fix is still awaited."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("regressions.toml")


@dataclass(frozen=True, slots=True)
class Regression:
    """A seed, and what it showed when it was found."""

    seed: int
    showed: str


def regressions() -> list[Regression]:
    """All seeds that are kept."""
    return [Regression(**one) for one in _CONTENT["regressions"]]


def awaited() -> frozenset[str]:
    """Invariants that are known not to hold yet: they are counted, and break no run."""
    return frozenset(_CONTENT["awaited"])


_CONTENT: dict[str, Any] = tomllib.loads(_FILE.read_text())
