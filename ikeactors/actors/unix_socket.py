"""The admin socket's file: made safely, replaced when stale; and who is at its other end."""

from __future__ import annotations

import os
import socket
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

from ikeactors.errors import Fault

SOCKET_MODE = 0o660
DIRECTORY_MODE = 0o750
# More than clients, so that one above the limit is told so instead of left waiting.
LISTEN_QUEUE = 512

_CREDENTIALS = struct.Struct("3i")
# Linux 4.13 and up; the socket module has no name for it.
_SO_PEERGROUPS = 59
_GROUP = struct.Struct("I")
# NGROUPS_MAX is 65536; no operator is in so many, and one in more loses only the tail.
_MAX_GROUPS = 1024


class ControlSocketUnusable(Fault):
    """The admin socket cannot be made where the configuration wants it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who connected, as the kernel says."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


@dataclass(slots=True)
class ControlCounters:
    """What the control actor counts; outlives the actor."""

    clients: int = 0
    served: int = 0
    refused: int = 0
    cut_off: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class ControlStatistics:
    """The counters at one instant."""

    clients: int
    served: int
    refused: int
    cut_off: int
    requests: int


@dataclass(frozen=True, slots=True)
class ControlListener:
    """The listening socket; the daemon makes it, and it outlives the actor that serves it."""

    socket: socket.socket
    path: Path
    counters: ControlCounters = field(default_factory=ControlCounters)

    def statistics(self) -> ControlStatistics:
        """What has happened on the admin socket."""
        counters = self.counters
        return ControlStatistics(
            counters.clients,
            counters.served,
            counters.refused,
            counters.cut_off,
            counters.requests,
        )

    def close(self) -> None:
        """Stop listening and remove the file."""
        self.socket.close()
        self.path.unlink(missing_ok=True)


def open_listener(path: Path, group: int | None = None) -> ControlListener:
    """Listen at `path`, for root, our own user and `group`. Raises `ControlSocketUnusable`."""
    try:
        _make_directory(path.parent, group)
        _remove_stale(path)
        return ControlListener(_bound(path, group), path)
    except OSError as refusal:
        why = refusal.strerror or str(refusal)
        raise ControlSocketUnusable(f"admin socket {path}: {why}") from refusal


def caller_of(connection: socket.socket) -> Caller:
    """Who is at the other end (SO_PEERCRED, SO_PEERGROUPS)."""
    octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(octets)
    return Caller(pid, uid, gid, _groups_of(connection) | {gid})


def _groups_of(connection: socket.socket) -> frozenset[int]:
    size = _MAX_GROUPS * _GROUP.size
    try:
        octets = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, size)
    except OSError:
        # An older kernel: the primary group has to do.
        return frozenset()
    return frozenset(number for (number,) in _GROUP.iter_unpack(octets))


def _make_directory(directory: Path, group: int | None) -> None:
    if directory.is_dir():
        return
    directory.mkdir(mode=DIRECTORY_MODE, parents=True)
    directory.chmod(DIRECTORY_MODE)
    if group is not None:
        os.chown(directory, -1, group)


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlSocketUnusable(f"admin socket {path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise ControlSocketUnusable(f"admin socket {path}: another daemon is listening there")


def _bound(path: Path, group: int | None) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    # The file must never be there with a wider mode, not even for an instant.
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        listening.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
        listening.listen(LISTEN_QUEUE)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening
