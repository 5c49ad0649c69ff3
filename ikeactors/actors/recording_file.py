"""The file of one recording: made, filled up to its bound, and others removed to make room.

Everything here may wait for the disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import gmtime, strftime

from ikeactors.crypto.at_rest import SALT_OCTETS
from ikeactors.protocol.recording.file import Sealer, write
from ikeactors.protocol.recording.recorded import Beginning, Step

Record = Beginning | Step | str

_SUFFIX = ".recording"


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """Where recordings go, under which key, and how much is kept of a connection.

    `size` is a file's bound in octets, `files` how many there may be.
    """

    folder: Path
    software: str
    key: bytes = field(repr=False)
    size: int = 16 << 20
    files: int = 16


class RecordingFile:
    """One recording; the file is made with its first record."""

    __slots__ = ("_connection", "_is_over", "_left", "_octets", "_policy", "_sealer", "path")

    def __init__(
        self, policy: RecordingPolicy, connection: str, octets: Callable[[int], bytes]
    ) -> None:
        self._policy = policy
        self._connection = connection
        self._octets = octets
        self._left = policy.size
        self._sealer: Sealer | None = None
        self._is_over = False
        self.path = policy.folder

    def write(self, record: Record) -> str:
        """Add a record; why the recording ends before its time, or nothing."""
        if self._is_over:
            return ""
        try:
            return self._append(record)
        except OSError as error:
            self._is_over = True
            return error.strerror or str(error)

    def _append(self, record: Record) -> str:
        sealer = self._sealer or self._make()
        octets, problem = write(record), ""
        self._left -= len(octets)
        if self._left < 0:
            self._is_over = True
            problem = f"it would grow over {self._policy.size} octets (record_size)"
            octets = write(problem)
        with open(self.path, "ab", opener=_existing) as stream:
            stream.write(sealer.seal(octets))
        return problem

    def _make(self) -> Sealer:
        policy, salt = self._policy, self._octets(SALT_OCTETS)
        policy.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(policy.folder, self._connection, policy.files - 1)
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime())
        self.path = policy.folder / f"{self._connection}-{stamp}-{salt[:4].hex()}{_SUFFIX}"
        self._sealer = Sealer(policy.key, salt, policy.software)
        with open(self.path, "xb", opener=_for_us_alone) as stream:
            stream.write(self._sealer.head)
        return self._sealer


def _make_room(folder: Path, connection: str, kept: int) -> None:
    """Remove the oldest recordings of a connection; their names are in the order of time."""
    name = re.compile(rf"{re.escape(connection)}-\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}{_SUFFIX}")
    there = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
    for path in there[: max(0, len(there) - kept)]:
        path.unlink(missing_ok=True)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _existing(path: str, flags: int) -> int:
    """A recording that was removed meanwhile does not come back without its beginning."""
    return os.open(path, (flags & ~os.O_CREAT) | os.O_NOFOLLOW)
