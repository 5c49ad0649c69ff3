"""Delete on the wire (RFC 7296 section 3.11)."""

from __future__ import annotations

import struct

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ProtocolId
from ikeactors.quick import quick

_HEAD = struct.Struct("!BBH")


@quick
class Delete:
    """D: the IKE SA, or Child SAs by the sender's inbound SPIs."""

    protocol: ProtocolId
    spis: tuple[bytes, ...] = ()


def read_delete(body: bytes) -> Delete:
    """The body of a Delete payload."""
    if len(body) < _HEAD.size:
        raise InvalidSyntax("a payload is too short for its type")
    protocol, size, count = _HEAD.unpack_from(body)
    if len(body) != _HEAD.size + size * count or size != _SPI_SIZES.get(protocol, size):
        raise InvalidSyntax("the SPIs of a Delete do not fit its protocol, size or count")
    if size == 0 and count:
        raise InvalidSyntax("a Delete counts SPIs that it does not have")
    spis = tuple(body[at : at + size] for at in range(_HEAD.size, len(body), size or 1))
    return Delete(ProtocolId(protocol), spis)


def write_delete(delete: Delete) -> bytes:
    """The body of a Delete payload."""
    size = len(delete.spis[0]) if delete.spis else _SPI_SIZES.get(delete.protocol, 0)
    return _HEAD.pack(delete.protocol, size, len(delete.spis)) + b"".join(delete.spis)


_SPI_SIZES: dict[int, int] = {ProtocolId.IKE: 0, ProtocolId.AH: 4, ProtocolId.ESP: 4}
