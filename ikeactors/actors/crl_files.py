"""Fetched lists on disk, so that a restart need not fetch them again. They are no secret, and
believed by their signatures alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# Ours: as many as there are authorities with a few lists each.
MAX_FILES = 256


class CrlFiles:
    """A directory of lists, each under the name of where it is from."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, url: str) -> bytes | None:
        """What was fetched from there, if it is here."""
        try:
            return self._path(url).read_bytes()
        except OSError:
            return None

    def write(self, url: str, octets: bytes) -> str:
        """Keep it, whole or not at all; why that does not succeed, or nothing."""
        path = self._path(url)
        fresh = path.with_suffix(".new")
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(octets)
            fresh.replace(path)
            self._prune()
        except OSError as error:
            return f"{path}: {error.strerror}"
        return ""

    def _prune(self) -> None:
        """The oldest go where there are too many."""
        entries = [one for one in os.scandir(self._directory) if one.name.endswith(".crl")]
        entries.sort(key=lambda one: one.stat().st_mtime)
        for entry in entries[:-MAX_FILES]:
            os.unlink(entry.path)

    def _path(self, url: str) -> Path:
        return self._directory / f"{hashlib.sha256(url.encode()).hexdigest()}.crl"
