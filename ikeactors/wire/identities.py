"""Identities: who somebody says they are (RFC 7296 section 3.5), from octets and from text.

Whether one identity satisfies another is for the protocol to say.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType, by_octet
from ikeactors.quick import quick
from ikeactors.wire.general_names import read_general_name, write_general_name
from ikeactors.wire.names import name_from_text, name_to_text
from ikeactors.wire.octets import MAX_PRINTED, printable

# Real ones have some hundred octets; of a longer one, only the start of its octets is printed.
_LONGEST_PRINTED_NAME = 4096

_HEAD = struct.Struct("!B3x")
_TYPES = by_octet(IdType)


@quick
class Identity:
    """An identification's type and its data, which fit each other."""

    type: IdType
    data: bytes

    @classmethod
    def from_text(cls, text: str) -> Identity:
        """The identity an operator wrote, in the forms that swanctl.conf has.

        A prefix (`fqdn:`, `keyid:`, `{11}:` ...) forces a type; after it, `#` begins hexadecimal
        digits. `@` forces a name, `@#` a key ID in hexadecimal digits, `@@` an e-mail address.
        Everything else is what it looks like: a distinguished name, an e-mail address, an
        address or a name. `ValueError` says what is wrong.
        """
        text = text.strip()
        kind, value = _type_and_value(text)
        try:
            data = _data_from_text(kind, value)
        except ValueError as wrong:
            raise ValueError(
                f"{text!r} is no identity of type {_type_name(kind)}: {wrong}"
            ) from wrong
        fault = _fault(kind, data)
        if fault:
            raise ValueError(f"{text!r}: {fault}")
        return cls(kind, data)

    @property
    def is_address(self) -> bool:
        """Whether it is an IP address."""
        return self.type in (IdType.IPV4_ADDR, IdType.IPV6_ADDR)

    @property
    def named(self) -> Identity:
        """Itself, or the identity that its GeneralName holds, where that is of a kind we know."""
        if self.type is not IdType.DER_ASN1_GN:
            return self
        try:
            return Identity(*read_general_name(self.data))
        except InvalidSyntax:
            return self

    def __str__(self) -> str:
        text = _TEXT_WRITERS.get(self.type, _hexadecimal)(self.data)
        if _apparent_type(text) != self.type:
            text = f"{_PREFIXES.get(self.type) or f'{{{self.type:d}}}'}:{text}"
        return text if len(text) <= MAX_PRINTED else text[: MAX_PRINTED - 3] + "..."


def read_identity(octets: bytes) -> Identity:
    """The identity in the body of an IDi or IDr payload."""
    if len(octets) < _HEAD.size:
        raise InvalidSyntax("an identification is cut off")
    kind, data = _TYPES[octets[0]], octets[_HEAD.size :]
    fault = _fault(kind, data)
    if fault:
        raise InvalidSyntax(fault)
    return Identity(kind, data)


def write_identity(identity: Identity) -> bytes:
    """The body of an IDi or IDr payload, which AUTH is computed over."""
    return _HEAD.pack(identity.type) + identity.data


def _fault(kind: IdType, data: bytes) -> str | None:
    length = _LENGTHS.get(kind)
    if length is not None and len(data) != length:
        return f"an identity of type {_type_name(kind)} has {length} octets"
    if not data and kind not in _MAY_BE_EMPTY:
        return f"an identity of type {_type_name(kind)} is not empty"
    return None


def _type_name(kind: IdType) -> str:
    return kind.name if kind.is_assigned else str(int(kind))


def _type_and_value(text: str) -> tuple[IdType, str]:
    prefix, colon, value = text.partition(":")
    forced = _prefixed_type(prefix.lower()) if colon else None
    if forced is not None:
        return forced, value.strip()
    for sign, kind in _SIGNS.items():
        if text.startswith(sign):
            return kind, text[1:] if kind == IdType.KEY_ID else text[len(sign) :]
    apparent = _apparent_type(text)
    if apparent is None:
        raise ValueError(
            f"{text!r} is no identity: write it as keyid:, fqdn:, email:, ipv4:, ipv6: or asn1dn:"
        )
    return apparent, text


def _prefixed_type(prefix: str) -> IdType | None:
    number = prefix[1:-1]
    if prefix == f"{{{number}}}" and number.isdecimal() and int(number) <= 0xFF:
        return IdType(int(number))
    return _TYPES_BY_PREFIX.get(prefix)


def _apparent_type(text: str) -> IdType | None:
    """What a text without a prefix or a sign is, as far as it is plain."""
    if not text or text.startswith(("@", "%", "#")):
        return None
    if "=" in text:
        return IdType.DER_ASN1_DN
    if "@" in text:
        return IdType.RFC822_ADDR
    # Every IPv6 address has a colon, and every other one ends with a digit.
    if ":" not in text and not text[-1].isdigit():
        return IdType.FQDN
    for kind, address in _ADDRESSES.items():
        if _is_address(address, text):
            return kind
    return None if ":" in text else IdType.FQDN


def _is_address(address: Callable[[str], object], text: str) -> bool:
    try:
        address(text)
    except ValueError:
        return False
    return True


def _data_from_text(kind: IdType, value: str) -> bytes:
    if value.startswith("#"):
        return bytes.fromhex(value[1:])
    if kind not in _TEXT_READERS:
        raise ValueError("it has no text: write # and its octets in hexadecimal digits")
    return _TEXT_READERS[kind](value)


def _read_null(value: str) -> bytes:
    if value:
        raise ValueError("it has no value")
    return b""


def _hexadecimal(data: bytes) -> str:
    return f"#{data[:MAX_PRINTED].hex()}" if data else ""


def _write_key_id(data: bytes) -> str:
    text = printable(data)
    is_plain = data.isascii() and text == data.decode("ascii") and not text.startswith("#")
    return text if is_plain else _hexadecimal(data)


def _write_name(data: bytes) -> str:
    if len(data) > _LONGEST_PRINTED_NAME:
        return _hexadecimal(data)
    try:
        return name_to_text(data)
    except InvalidSyntax:
        return _hexadecimal(data)


def _read_general_name(value: str) -> bytes:
    named = Identity.from_text(value)
    try:
        return write_general_name(named.type, named.data)
    except KeyError:
        raise ValueError("a name, an address, an e-mail address or a distinguished name") from None


def _write_general_name(data: bytes) -> str:
    """What it names, where its octets come of that."""
    try:
        kind, inner = read_general_name(data)
    except InvalidSyntax:
        return _hexadecimal(data)
    is_plain = write_general_name(kind, inner) == data and len(data) <= _LONGEST_PRINTED_NAME
    return str(Identity(kind, inner)) if is_plain else _hexadecimal(data)


_LENGTHS: dict[int, int] = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}

# A recipient ignores what ID_NULL holds (RFC 7619 section 2.2).
_MAY_BE_EMPTY = frozenset({IdType.NULL})

_ADDRESSES: dict[IdType, Callable[[str], IPv4Address | IPv6Address]] = {
    IdType.IPV4_ADDR: IPv4Address,
    IdType.IPV6_ADDR: IPv6Address,
}

_TEXT_READERS: dict[int, Callable[[str], bytes]] = {
    IdType.IPV4_ADDR: lambda text: IPv4Address(text).packed,
    IdType.IPV6_ADDR: lambda text: IPv6Address(text).packed,
    IdType.FQDN: str.encode,
    IdType.RFC822_ADDR: str.encode,
    IdType.KEY_ID: str.encode,
    IdType.DER_ASN1_DN: name_from_text,
    IdType.DER_ASN1_GN: _read_general_name,
    IdType.NULL: _read_null,
}

_TEXT_WRITERS: dict[int, Callable[[bytes], str]] = {
    IdType.IPV4_ADDR: lambda data: str(IPv4Address(data)),
    IdType.IPV6_ADDR: lambda data: str(IPv6Address(data)),
    IdType.FQDN: printable,
    IdType.RFC822_ADDR: printable,
    IdType.KEY_ID: _write_key_id,
    IdType.DER_ASN1_DN: _write_name,
    IdType.DER_ASN1_GN: _write_general_name,
}

# Longer signs before the one they begin with.
_SIGNS: dict[str, IdType] = {
    "@#": IdType.KEY_ID,
    "@@": IdType.RFC822_ADDR,
    "@": IdType.FQDN,
}

_PREFIXES: dict[int, str] = {
    IdType.IPV4_ADDR: "ipv4",
    IdType.IPV6_ADDR: "ipv6",
    IdType.FQDN: "fqdn",
    IdType.RFC822_ADDR: "email",
    IdType.DER_ASN1_DN: "asn1dn",
    IdType.DER_ASN1_GN: "asn1gn",
    IdType.KEY_ID: "keyid",
    IdType.NULL: "null",
}

_TYPES_BY_PREFIX: dict[str, IdType] = {
    **{prefix: IdType(kind) for kind, prefix in _PREFIXES.items()},
    "dns": IdType.FQDN,
    "rfc822": IdType.RFC822_ADDR,
    "userfqdn": IdType.RFC822_ADDR,
}
