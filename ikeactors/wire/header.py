"""The IKE header (RFC 7296 section 3.1), and as much of ISAKMP's as tells the two apart."""

from __future__ import annotations

import struct

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ExchangeType, PayloadType, by_octet
from ikeactors.quick import quick

HEADER_LENGTH = 28
ZERO_SPI = bytes(8)

MAJOR_ISAKMP = 1
MAJOR_IKEV2 = 2

FLAG_INITIATOR = 0x08
FLAG_VERSION = 0x10
FLAG_RESPONSE = 0x20

_HEADER = struct.Struct("!8s8sBBBBII")

# Looked up for every datagram.
_PAYLOAD_TYPES = by_octet(PayloadType)
_EXCHANGE_TYPES = by_octet(ExchangeType)


@quick
class Header:
    """A header as it came. In ISAKMP's, `flags` are E, C and A; the three booleans mean nothing."""

    spi_i: bytes
    spi_r: bytes
    next_payload: PayloadType
    major: int
    minor: int
    exchange: ExchangeType
    is_response: bool
    from_original_initiator: bool
    higher_version: bool
    message_id: int
    length: int
    flags: int = 0

    @property
    def is_isakmp(self) -> bool:
        """Whether this is the header of IKEv1's framework (RFC 2408 section 3.1)."""
        return self.major == MAJOR_ISAKMP


def read_header(octets: bytes) -> Header:
    """The header of a datagram. Octets behind the message's length are no part of it."""
    if len(octets) < HEADER_LENGTH:
        raise InvalidSyntax("shorter than a header")
    spi_i, spi_r, following, version, exchange, flags, message_id, length = _HEADER.unpack_from(
        octets
    )
    if not HEADER_LENGTH <= length <= len(octets):
        raise InvalidSyntax("the header's length is not that of the datagram")
    return Header(
        spi_i,
        spi_r,
        _PAYLOAD_TYPES[following],
        version >> 4,
        version & 0x0F,
        _EXCHANGE_TYPES[exchange],
        flags & FLAG_RESPONSE != 0,
        flags & FLAG_INITIATOR != 0,
        flags & FLAG_VERSION != 0,
        message_id,
        length,
        flags,
    )


def write_header(
    spi_i: bytes,
    spi_r: bytes,
    next_payload: PayloadType,
    exchange: ExchangeType,
    message_id: int,
    length: int,
    *,
    is_response: bool,
    from_original_initiator: bool,
    major: int = MAJOR_IKEV2,
    minor: int = 0,
) -> bytes:
    """The 28 octets of a header; `length` is that of the whole message, header included."""
    flags = FLAG_RESPONSE if is_response else 0
    if from_original_initiator:
        flags |= FLAG_INITIATOR
    version = major << 4 | minor
    return _HEADER.pack(spi_i, spi_r, next_payload, version, exchange, flags, message_id, length)
