"""Seeds that have shown something."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("regressions.toml")


@dataclass(frozen=True, slots=True)
class Regression:
    """A seed, what it showed when it was found, and the version of plans at that time."""

    seed: int
    showed: str
    version: int


def regressions() -> list[Regression]:
    """All seeds that are kept."""
    return [Regression(**one) for one in _CONTENT["regressions"]]


_CONTENT: dict[str, Any] = tomllib.loads(_FILE.read_text())
