"""Published vectors: those kept here as TOML files, and larger collections beside the tree."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "vectors"
SHARED = Path(__file__).parents[3] / "shared" / "vectors"

TEXTS = frozenset({"algorithm", "group"})


def vectors(name: str) -> list[dict[str, bytes]]:
    """The vectors of a file; its hexadecimal values as octets."""
    table = tomllib.loads((HERE / name).read_text())
    return [
        {key: _octets(value) for key, value in row.items() if key not in TEXTS}
        for row in table["vectors"]
    ]


def named_vectors(name: str) -> list[tuple[str, dict[str, bytes]]]:
    """The same, each with the name of the algorithm or group it is of."""
    table = tomllib.loads((HERE / name).read_text())
    names = [row.get("algorithm") or row["group"] for row in table["vectors"]]
    return list(zip(names, vectors(name), strict=True))


def shared(path: str) -> Path:
    """A file of the large collections; the test is skipped where they are absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"no {path} beside the source tree")
    return found


def _octets(digits: str) -> bytes:
    return bytes.fromhex(digits)
