"""Distinguished names: DER as certificates and ID_DER_ASN1_DN carry them, and text as operators do.

Text is that of RFC 4514, but for its order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.der import check_end, read_element, write_element
from ikeactors.wire.octets import Reader

_SEQUENCE = 0x30
_SET = 0x31
_OID = 0x06
_UTF8_STRING = 0x0C
_PRINTABLE_STRING = 0x13
_IA5_STRING = 0x16

# Real ones have about ten octets; printing a number of unlimited length is not linear.
_MAX_OID = 64


@dataclass(frozen=True, slots=True)
class NameAttribute:
    """One attribute of a name; `oid` is the body of its DER, `tag` and `value` are its string."""

    oid: bytes
    tag: int
    value: bytes

    @property
    def text(self) -> str | None:
        """The string, unless it is of a kind, or in a state, that has no text."""
        encoding = _STRING_ENCODINGS.get(self.tag)
        try:
            return self.value.decode(encoding) if encoding else None
        except UnicodeDecodeError:
            return None

    @property
    def comparable(self) -> ComparableAttribute:
        """Equal for attributes that are the same."""
        text = self.text
        if text is None:
            return self.oid, self.tag, self.value
        return self.oid, None, " ".join(text.casefold().split())

    def __str__(self) -> str:
        key = _KEYS.get(self.oid) or _dotted(self.oid)
        text = self.text
        shown = "#" + write_element(self.tag, self.value).hex() if text is None else _escape(text)
        return f"{key}={shown}"


ComparableAttribute = tuple[bytes, int | None, str | bytes]
ComparableName = tuple[frozenset[ComparableAttribute], ...]
RelativeName = tuple[NameAttribute, ...]


def read_name(der: bytes) -> tuple[RelativeName, ...]:
    """The relative names of a Name, the most significant one first."""
    outer = Reader(der)
    names = []
    sequence = read_element(outer, _SEQUENCE)
    while sequence.remaining:
        attributes = []
        relative = read_element(sequence, _SET)
        while relative.remaining:
            attributes.append(_read_attribute(read_element(relative, _SEQUENCE)))
        names.append(tuple(attributes))
    check_end(outer)
    return tuple(names)


def comparable_name(name: bytes) -> ComparableName:
    """What is equal for two names that are the same (RFC 5280 section 7.1). Raises InvalidSyntax.

    The relative names in their order, each with the same attributes; text is compared without
    regard to case, to the kind of string and to how many spaces there are.
    """
    return tuple(frozenset(one.comparable for one in relative) for relative in read_name(name))


def name_to_text(der: bytes) -> str:
    """A Name as text.

    Deviation: RFC 4514 prints a name from its end. Operators write and certificates hold it from
    the country down, and what we print must be what they can write.
    """
    return ", ".join("+".join(map(str, relative)) for relative in read_name(der))


def name_from_text(text: str) -> bytes:
    """The DER of a name such as `C=DE, O=Example, CN=a.lab`; `ValueError` says what is wrong."""
    names: list[bytes] = []
    relative = b""
    at = 0
    while at < len(text) or not names:
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(f"not a distinguished name from {text[at:]!r} on")
        key, value, separator = part.groups()
        relative += _write_attribute(key, value)
        at = part.end()
        if separator == "+":
            continue
        names.append(write_element(_SET, relative))
        relative = b""
    if relative or separator:
        raise ValueError(f"the distinguished name {text!r} ends in {separator!r}")
    return write_element(_SEQUENCE, b"".join(names))


def _read_attribute(reader: Reader) -> NameAttribute:
    oid = read_element(reader, _OID).rest()
    if len(oid) > _MAX_OID:
        raise InvalidSyntax("an object identifier in a distinguished name is too long")
    tag = reader.u8()
    value = read_element(reader).rest()
    check_end(reader)
    return NameAttribute(oid, tag, value)


def _write_attribute(key: str, value: str) -> bytes:
    oid = _OIDS.get(key.upper()) or _oid_from_dotted(key)
    if value.startswith("#"):
        return write_element(_SEQUENCE, write_element(_OID, oid) + bytes.fromhex(value[1:]))
    quoted = value.startswith('"')
    octets = _unescape(value[1:-1] if quoted else value)
    if not octets:
        raise ValueError(f"{key} has no value in a distinguished name")
    return write_element(
        _SEQUENCE, write_element(_OID, oid) + write_element(_string_tag(oid, octets), octets)
    )


def _string_tag(oid: bytes, octets: bytes) -> int:
    if oid in _IA5_ATTRIBUTES and octets.isascii():
        return _IA5_STRING
    return _PRINTABLE_STRING if _PRINTABLE.fullmatch(octets) else _UTF8_STRING


def _escape(text: str) -> str:
    escaped = "".join(_escape_character(character) for character in text)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return "\\" + escaped if escaped.startswith((" ", "#")) else escaped


def _escape_character(character: str) -> str:
    if character in ',+"\\<>;':
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{octet:02x}" for octet in character.encode())


def _unescape(text: str) -> bytes:
    return _ESCAPED.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], text.encode()
    )


def _dotted(oid: bytes) -> str:
    arcs, arc = [], 0
    for octet in oid:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        return "?"
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _oid_from_dotted(text: str) -> bytes:
    if not text[0].isdigit():
        raise ValueError(f"{text} is no attribute of a distinguished name that is known here")
    first, second, *others = map(int, text.split("."))
    return b"".join(_arc(arc) for arc in (40 * first + second, *others))


def _arc(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(arc & 0x7F | 0x80)
    return bytes(reversed(octets))


_PART = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*="
    r'\s*("(?:\\.|[^"\\])*"|(?:\\.|[^,+"\\])*?)\s*(?:([,+])|$)',
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_PRINTABLE = re.compile(rb"[A-Za-z0-9 '()+,./:=?-]+")

_STRING_ENCODINGS = {
    _UTF8_STRING: "utf-8",
    0x12: "ascii",  # NumericString
    _PRINTABLE_STRING: "ascii",
    0x14: "latin-1",  # T61String, as everybody reads it
    _IA5_STRING: "ascii",
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}

_KEYS = {
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("550404"): "S",
    bytes.fromhex("550405"): "serialNumber",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("550409"): "STREET",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("55040c"): "T",
    bytes.fromhex("55040d"): "D",
    bytes.fromhex("550411"): "postalCode",
    bytes.fromhex("550429"): "N",
    bytes.fromhex("55042a"): "G",
    bytes.fromhex("55042b"): "I",
    bytes.fromhex("55042e"): "dnQualifier",
    bytes.fromhex("2a864886f70d010901"): "E",
    bytes.fromhex("2a864886f70d010902"): "unstructuredName",
    bytes.fromhex("2a864886f70d010908"): "unstructuredAddress",
    bytes.fromhex("0992268993f22c640101"): "UID",
    bytes.fromhex("0992268993f22c640119"): "DC",
}

_OIDS = {key.upper(): oid for oid, key in _KEYS.items()}
_OIDS |= {
    "SN": _OIDS["SERIALNUMBER"],
    "SURNAME": _OIDS["S"],
    "GIVENNAME": _OIDS["G"],
    "EMAIL": _OIDS["E"],
    "EMAILADDRESS": _OIDS["E"],
    "USERID": _OIDS["UID"],
}

_IA5_ATTRIBUTES = frozenset({_OIDS["E"], _OIDS["DC"]})
