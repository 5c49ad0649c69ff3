"""The addresses that a certificate's holder may speak for (RFC 3779 section 2).

OpenSSL sees to it that no certificate of a path has more than the one above it. Here is what those
of the end entity are, which may have some from above it ("inherit").
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509

from ikeactors.crypto.pki.certificates import describe
from ikeactors.errors import CertificateRefused, InvalidSyntax
from ikeactors.wire.octets import Reader

Address = IPv4Address | IPv6Address
AddressRange = tuple[Address, Address]

_EXTENSION = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7")

_SEQUENCE, _OCTETS, _BITS, _NULL = 0x30, 0x04, 0x03, 0x05
# The number of a family, and how many octets an address of it has.
_FAMILIES = {b"\x00\x01": 4, b"\x00\x02": 16}

# Ours: a site has some dozens.
_MAX_BLOCKS = 256


class AddressBlocks(enum.Enum):
    """What the extension is to a connection: without it the certificate is refused, its holder's
    traffic selectors are limited where it is there, or it is not looked at."""

    REQUIRE = "require"
    IF_PRESENT = "if-present"
    IGNORE = "ignore"


def blocks_of(path: Sequence[x509.Certificate]) -> tuple[AddressRange, ...] | None:
    """The end entity's ranges; None where it has no such extension. Raises CertificateRefused."""
    own = _read(path[0])
    if own is None:
        return None
    found: list[AddressRange] = []
    for size, ranges in own.items():
        above = iter(path[1:])
        while ranges is None:
            one = next(above, None)
            if one is None:
                raise CertificateRefused(f"{describe(path[0])}: its blocks are nobody's")
            ranges = (_read(one) or {}).get(size, ())
        found += ranges
    return tuple(found)


def own_ranges(certificate: x509.Certificate) -> tuple[AddressRange, ...]:
    """Those that stand in the certificate itself. Raises CertificateRefused."""
    families = (_read(certificate) or {}).values()
    return tuple(one for ranges in families for one in ranges or ())


def _read(certificate: x509.Certificate) -> dict[int, tuple[AddressRange, ...] | None] | None:
    """By the size of addresses; None is "inherit"."""
    found = (one.value for one in certificate.extensions if one.oid == _EXTENSION)
    extension = next(found, None)
    if extension is None:
        return None
    assert isinstance(extension, x509.UnrecognizedExtension)
    try:
        return dict(_families(extension.value))
    except InvalidSyntax as fault:
        raise CertificateRefused(f"{describe(certificate)}: its address blocks: {fault}") from None


def _families(octets: bytes) -> Iterator[tuple[int, tuple[AddressRange, ...] | None]]:
    outer = Reader(octets)
    families = _element(outer, _SEQUENCE)
    while families.remaining:
        family = _element(families, _SEQUENCE)
        number = _element(family, _OCTETS)
        size = _FAMILIES.get(number.octets(number.remaining))
        if size is None:
            # Another family, or for multicast alone: nobody gets addresses by it.
            family.octets(family.remaining)
            continue
        tag = family.u8()
        body = family.within(_length(family))
        if tag == _NULL:
            yield size, None
        elif tag == _SEQUENCE:
            yield size, tuple(_ranges(body, size))
        else:
            raise InvalidSyntax("neither addresses nor inherited")


def _ranges(reader: Reader, size: int) -> Iterator[AddressRange]:
    for _ in range(_MAX_BLOCKS):
        if not reader.remaining:
            return
        tag = reader.u8()
        body = reader.within(_length(reader))
        if tag == _BITS:
            yield _bounds(body, body, size, is_prefix=True)
        elif tag == _SEQUENCE:
            first, last = _element(body, _BITS), _element(body, _BITS)
            yield _bounds(first, last, size, is_prefix=False)
        else:
            raise InvalidSyntax("neither a prefix nor a range")
    raise InvalidSyntax(f"more than {_MAX_BLOCKS}")


def _bounds(first: Reader, last: Reader, size: int, *, is_prefix: bool) -> AddressRange:
    """What is not written is zeros in the first address and ones in the last."""
    bits, unused = _bits(first, size)
    end, end_unused = (bits, unused) if is_prefix else _bits(last, size)
    start = int.from_bytes(bits.ljust(size, b"\x00"), "big")
    free = 8 * (size - len(end)) + end_unused
    stop = int.from_bytes(end.ljust(size, b"\x00"), "big") | ((1 << free) - 1)
    make = IPv4Address if size == 4 else IPv6Address
    if start > stop:
        raise InvalidSyntax("a range is reversed")
    return make(start), make(stop)


def _bits(reader: Reader, size: int) -> tuple[bytes, int]:
    unused = reader.u8()
    octets = reader.octets(reader.remaining)
    if unused > 7 or len(octets) > size or (unused and not octets):
        raise InvalidSyntax("a prefix is out of range")
    return octets, unused


def _element(reader: Reader, tag: int) -> Reader:
    if reader.u8() != tag:
        raise InvalidSyntax("not as RFC 3779 has them")
    return reader.within(_length(reader))


def _length(reader: Reader) -> int:
    length = reader.u8()
    if length < 0x80:
        return length
    if length not in (0x81, 0x82):
        raise InvalidSyntax("a length is out of range")
    return int.from_bytes(reader.octets(length & 0x7F), "big")
