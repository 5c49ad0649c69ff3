"""One daemon for each directory of state: a second one would undo what the first keeps there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ikeactors.errors import Fault

# Its lock goes with the process, however that ends; its text is for whoever wonders.
_NAME = "daemon.lock"
_PID_OCTETS = 20


class DirectoryInUse(Fault):
    """Another daemon has its state there."""


class SoleUse:
    """The directory is ours until this is closed, or the process is over."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """Another daemon may have it."""
        os.close(self._descriptor)


def claim(directory: Path) -> SoleUse | None:
    """Have it for ourselves; None where nothing can be written there, as the store will tell.

    Raises `DirectoryInUse`.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(directory / _NAME, flags, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = _in_use(directory, os.read(descriptor, _PID_OCTETS))
        os.close(descriptor)
        raise DirectoryInUse(text) from None
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return SoleUse(descriptor)


def _in_use(directory: Path, written: bytes) -> str:
    holder = f"process {int(written)}" if written.strip().isdigit() else "another process"
    return (
        f"daemon.runtime_dir: another daemon, {holder}, keeps its state in {directory}: "
        "each of several daemons needs a directory of its own"
    )
