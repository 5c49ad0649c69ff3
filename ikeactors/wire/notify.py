"""Notify payloads (RFC 7296 section 3.10), and the formats of their data where an RFC gives one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import (
    IpCompression,
    KeyExchangeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
    by_octet,
)
from ikeactors.quick import quick
from ikeactors.wire.puzzles import read_puzzle

MIN_COOKIE = 1
MAX_COOKIE = 64
# A SHA-1 hash (RFC 7296 section 2.23).
NAT_DETECTION_LENGTH = 20
MIN_COOKIE2 = 8
MAX_COOKIE2 = 64
MIN_QCD_TOKEN = 16
MAX_QCD_TOKEN = 128

# Most messages have several notifies.
_PROTOCOLS = by_octet(ProtocolId)
_TYPES = {int(kind): kind for kind in NotifyType}

_HEAD = struct.Struct("!BBH")
_COMPRESSION = struct.Struct("!HB")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")
_PORTS = struct.Struct("!HH")
# By the length of NO_NATS_ALLOWED: its addresses' family, and an address's length.
_ADDRESSES: dict[int, tuple[type[IPv4Address] | type[IPv6Address], int]] = {
    12: (IPv4Address, 4),
    36: (IPv6Address, 16),
}


@quick
class Notify:
    """N: an error or a status."""

    type: NotifyType
    data: bytes = b""
    protocol: ProtocolId = ProtocolId.NONE
    spi: bytes = b""


def read_notify(body: bytes) -> Notify:
    """The body of an N payload. Its data is read by those who want it, with the functions below."""
    if len(body) < _HEAD.size:
        raise InvalidSyntax("a notify is cut off")
    protocol, spi_size, number = _HEAD.unpack_from(body)
    data_at = _HEAD.size + spi_size
    if len(body) < data_at:
        raise InvalidSyntax("the SPI of a notify runs past its end")
    spi = body[_HEAD.size : data_at]
    kind = _TYPES.get(number) or NotifyType(number)
    return Notify(kind, body[data_at:], _PROTOCOLS[protocol], spi)


def write_notify(notify: Notify) -> bytes:
    """The body of an N payload."""
    head = _HEAD.pack(notify.protocol, len(notify.spi), notify.type)
    return b"".join((head, notify.spi, notify.data))


def read_group(data: bytes) -> KeyExchangeMethod:
    """INVALID_KE_PAYLOAD: the method that should have been used (RFC 7296 section 1.2)."""
    return KeyExchangeMethod(_U16.unpack(_sized(data, 2))[0])


def write_group(method: KeyExchangeMethod) -> bytes:
    """The data of INVALID_KE_PAYLOAD."""
    return _U16.pack(method)


def read_compression(data: bytes) -> tuple[int, IpCompression]:
    """IPCOMP_SUPPORTED: CPI and algorithm, whose attributes follow (RFC 7296 section 3.10.1)."""
    if len(data) < _COMPRESSION.size:
        raise InvalidSyntax("an offer of IP compression is cut off")
    cpi, algorithm = _COMPRESSION.unpack_from(data)
    if not cpi:
        raise InvalidSyntax("the CPI 0 is reserved")
    return cpi, IpCompression(algorithm)


def write_compression(cpi: int, algorithm: IpCompression) -> bytes:
    """The data of IPCOMP_SUPPORTED."""
    return _COMPRESSION.pack(cpi, algorithm)


def read_critical_payload(data: bytes) -> PayloadType:
    """UNSUPPORTED_CRITICAL_PAYLOAD: the type that was not understood."""
    return PayloadType(_sized(data, 1)[0])


def read_cookie(data: bytes) -> bytes:
    """COOKIE: 1 to 64 octets (RFC 7296 section 2.6)."""
    return _sized(data, MIN_COOKIE, MAX_COOKIE)


def read_nat_detection(data: bytes) -> bytes:
    """NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: the hash."""
    return _sized(data, NAT_DETECTION_LENGTH)


def read_hash_algorithms(data: bytes) -> tuple[int, ...]:
    """SIGNATURE_HASH_ALGORITHMS: the numbers of the hashes (RFC 7427 section 4)."""
    if len(data) % _U16.size:
        raise InvalidSyntax("half a hash algorithm")
    return tuple(number for (number,) in _U16.iter_unpack(data))


def write_hash_algorithms(algorithms: Iterable[int]) -> bytes:
    """The data of SIGNATURE_HASH_ALGORITHMS."""
    return b"".join(map(_U16.pack, algorithms))


def read_u32(data: bytes) -> int:
    """SET_WINDOW_SIZE, INVALID_MESSAGE_ID and AUTH_LIFETIME: one number of four octets."""
    number: int = _U32.unpack(_sized(data, 4))[0]
    return number


def write_u32(number: int) -> bytes:
    """The data of a notify that is one number of four octets."""
    return _U32.pack(number)


def read_ip4_address(data: bytes) -> IPv4Address:
    """ADDITIONAL_IP4_ADDRESS (RFC 4555 section 4.2.2)."""
    return IPv4Address(_sized(data, 4))


def read_ip6_address(data: bytes) -> IPv6Address:
    """ADDITIONAL_IP6_ADDRESS."""
    return IPv6Address(_sized(data, 16))


@quick
class AddressPair:
    """The addresses and ports with which a message was sent (RFC 4555 section 4.2.6)."""

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    source_port: int
    destination_port: int


def read_no_nats_allowed(data: bytes) -> AddressPair:
    """NO_NATS_ALLOWED: two addresses of one family, and two ports."""
    if len(data) not in _ADDRESSES:
        raise InvalidSyntax("the data of a notify is too short or too long")
    kind, size = _ADDRESSES[len(data)]
    ports = _PORTS.unpack_from(data, 2 * size)
    return AddressPair(kind(data[:size]), kind(data[size : 2 * size]), *ports)


def write_no_nats_allowed(pair: AddressPair) -> bytes:
    """The data of NO_NATS_ALLOWED."""
    ports = _PORTS.pack(pair.source_port, pair.destination_port)
    return pair.source.packed + pair.destination.packed + ports


def read_cookie2(data: bytes) -> bytes:
    """COOKIE2: 8 to 64 octets (RFC 4555 section 4.2.5)."""
    return _sized(data, MIN_COOKIE2, MAX_COOKIE2)


def read_qcd_token(data: bytes) -> bytes:
    """QUICK_CRASH_DETECTION: 16 to 128 octets (RFC 6290 section 4.1)."""
    return _sized(data, MIN_QCD_TOKEN, MAX_QCD_TOKEN)


def read_data(notify: Notify) -> object:
    """The data of a notify by its type; octets where no RFC gives them a format."""
    return FORMATS.get(notify.type, bytes)(notify.data)


def _sized(data: bytes, least: int, most: int | None = None) -> bytes:
    if not least <= len(data) <= (least if most is None else most):
        raise InvalidSyntax("the data of a notify is too short or too long")
    return data


FORMATS: dict[int, Callable[[bytes], object]] = {
    NotifyType.IPCOMP_SUPPORTED: read_compression,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: read_critical_payload,
    NotifyType.INVALID_MESSAGE_ID: read_u32,
    NotifyType.INVALID_KE_PAYLOAD: read_group,
    NotifyType.SET_WINDOW_SIZE: read_u32,
    NotifyType.NAT_DETECTION_SOURCE_IP: read_nat_detection,
    NotifyType.NAT_DETECTION_DESTINATION_IP: read_nat_detection,
    NotifyType.COOKIE: read_cookie,
    NotifyType.ADDITIONAL_IP4_ADDRESS: read_ip4_address,
    NotifyType.ADDITIONAL_IP6_ADDRESS: read_ip6_address,
    NotifyType.COOKIE2: read_cookie2,
    NotifyType.NO_NATS_ALLOWED: read_no_nats_allowed,
    NotifyType.AUTH_LIFETIME: read_u32,
    NotifyType.QUICK_CRASH_DETECTION: read_qcd_token,
    NotifyType.SIGNATURE_HASH_ALGORITHMS: read_hash_algorithms,
    NotifyType.PUZZLE: read_puzzle,
}
