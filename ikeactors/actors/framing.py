"""The frames of the admin socket: a length of four octets, then that many octets.

Neither input nor output, nothing of Trio: the daemon and its clients share it.
"""

from __future__ import annotations

import struct

from ikeactors.errors import Fault

# Enough for a batch of a listing; little enough that 256 clients cannot fill a router's memory.
MAX_FRAME = 1 << 20

_LENGTH = struct.Struct("!I")


class FrameTooLarge(Fault):
    """A frame says that it is longer than `MAX_FRAME`: what follows cannot be told apart."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a message of {length} octets; {MAX_FRAME} is the most")


def frame(body: bytes) -> bytes:
    """The octets that carry `body`."""
    if len(body) > MAX_FRAME:
        raise FrameTooLarge(len(body))
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Octets as they come in, frames as they are complete."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> None:
        """Take what has come in."""
        self._octets += octets

    def take(self) -> bytes | None:
        """The next frame's body, or None where it is not all here. Raises `FrameTooLarge`."""
        if len(self._octets) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._octets)
        if length > MAX_FRAME:
            raise FrameTooLarge(length)
        end = _LENGTH.size + length
        if len(self._octets) < end:
            return None
        body = bytes(self._octets[_LENGTH.size : end])
        del self._octets[:end]
        return body

    @property
    def is_partial(self) -> bool:
        """Whether a part of a frame is waiting for the rest."""
        return bool(self._octets)
