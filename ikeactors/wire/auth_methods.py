"""SUPPORTED_AUTH_METHODS: the ways to authenticate that an end takes (RFC 9593 section 3.2).

    +--------+--------+----------+----------------------+
    | Length | Method | CA, from | AlgorithmIdentifier, |
    |        |        | 1        | of method 14         |
    +--------+--------+----------+----------------------+

With two octets there is no authority to be said, with three no algorithm.
"""

from __future__ import annotations

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import AuthMethod, by_octet
from ikeactors.quick import quick

_METHODS = by_octet(AuthMethod)

# The specification's.
_SHORTEST = 2
_LONGEST = 255

# Ours: no end has so many keys that it would be of use to look at more.
MAX_ANNOUNCEMENTS = 64


@quick
class AuthAnnouncement:
    """One way. `authority` is the place in CERTREQ of the authority meant, from 1; 0 is any."""

    method: AuthMethod
    authority: int | None = None
    algorithm: bytes = b""


def write_announcements(announcements: tuple[AuthAnnouncement, ...]) -> bytes:
    """The notification's data."""
    written = bytearray()
    for one in announcements:
        body = bytes((one.method,))
        if one.authority is not None:
            body += bytes((one.authority,)) + one.algorithm
        assert len(body) < _LONGEST
        written += bytes((1 + len(body),)) + body
    return bytes(written)


def read_announcements(data: bytes) -> tuple[AuthAnnouncement, ...]:
    """What an end announces. Raises InvalidSyntax."""
    found: list[AuthAnnouncement] = []
    at = 0
    while at < len(data) and len(found) < MAX_ANNOUNCEMENTS:
        length = data[at]
        if length < _SHORTEST or at + length > len(data):
            raise InvalidSyntax("an announced authentication method has a wrong length")
        method, rest = _METHODS[data[at + 1]], data[at + 2 : at + length]
        found.append(AuthAnnouncement(method, rest[0] if rest else None, rest[1:]))
        at += length
    return tuple(found)
