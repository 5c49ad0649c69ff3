"""Octets that come from outside: reading them within their bounds, printing them without harm."""

from __future__ import annotations

import struct

from ikeactors.errors import InvalidSyntax

# Long enough for every host name and most distinguished names, short enough for one log line.
MAX_PRINTED = 128

_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")


class Reader:
    """A place in octets and an end it never goes past; whatever is missing is `InvalidSyntax`."""

    __slots__ = ("_at", "_end", "_octets")

    def __init__(self, octets: bytes, start: int = 0, end: int | None = None) -> None:
        self._octets = octets
        self._at = start
        self._end = len(octets) if end is None else end
        if not 0 <= start <= self._end <= len(octets):
            raise InvalidSyntax("a length runs past the end")

    @property
    def remaining(self) -> int:
        """How many octets are left."""
        return self._end - self._at

    def octets(self, count: int) -> bytes:
        """The next `count` octets."""
        at = self._take(count)
        return self._octets[at : at + count]

    def u8(self) -> int:
        """The next octet as a number."""
        return self._octets[self._take(1)]

    def u16(self) -> int:
        """The next two octets as a number."""
        number: int = _U16.unpack_from(self._octets, self._take(2))[0]
        return number

    def u32(self) -> int:
        """The next four octets as a number."""
        number: int = _U32.unpack_from(self._octets, self._take(4))[0]
        return number

    def rest(self) -> bytes:
        """All that is left."""
        return self.octets(self.remaining)

    def within(self, count: int) -> Reader:
        """A reader of the next `count` octets alone; this one goes on behind them."""
        at = self._take(count)
        return Reader(self._octets, at, at + count)

    def _take(self, count: int) -> int:
        at = self._at
        if not 0 <= count <= self._end - at:
            raise InvalidSyntax("a length runs past the end")
        self._at = at + count
        return at


def printable(octets: bytes, limit: int = MAX_PRINTED) -> str:
    """A peer's octets as text for a log line: UTF-8 where it is, escaped where it is not, cut."""
    text = octets[: limit + 1].decode("utf-8", "surrogateescape")
    if len(octets) <= limit and text.isprintable() and "\\" not in text:
        return text
    escaped = "".join(_escape(character) for character in text)
    if len(octets) <= limit and len(escaped) <= limit:
        return escaped
    return escaped[: limit - 3] + "..."


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode("ascii")
