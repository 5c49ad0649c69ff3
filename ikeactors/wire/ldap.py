"""One search of LDAP (RFC 4511 section 4.5): what an attribute of one entry holds.

It is all that a revocation list at an ldap URL needs: nobody logs in, nothing is changed, and no
referral is followed. Who reads the messages from a stream asks for their length first.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.der import read_element, write_element
from ikeactors.wire.octets import Reader, printable

_SEQUENCE, _SET, _OCTETS, _INTEGER, _ENUMERATED, _BOOLEAN = 0x30, 0x31, 0x04, 0x02, 0x0A, 0x01
_SEARCH, _ENTRY, _DONE, _REFERENCE = 0x63, 0x64, 0x65, 0x73
# The filter (objectClass=*): each entry has one.
_PRESENT = bytes((0x87, 11)) + b"objectClass"
_SUCCESS = 0
_MESSAGE_ID = 1

# Ours: a value has some dozen megabytes at most, so four octets of length are enough.
_MAX_LENGTH_OCTETS = 4
# Tag and length of a message.
_HEAD = 2
_INDEFINITE = 0x80


@dataclass(frozen=True, slots=True)
class Place:
    """What an ldap URL names (RFC 4516 section 2): an entry and one of its attributes."""

    name: str
    attribute: str

    @classmethod
    def from_url(cls, url: str) -> Place:
        """Raises InvalidSyntax.

        The filter is not looked at: it cannot add to the one entry that is named.
        """
        parts = urlsplit(url)
        attribute, _, rest = parts.query.partition("?")
        scope = rest.partition("?")[0]
        name = unquote(parts.path.removeprefix("/"))
        if scope not in ("", "base"):
            raise InvalidSyntax(f"a search of the scope {printable(scope.encode())}, not base")
        if not name or not attribute or "," in attribute:
            raise InvalidSyntax("the URL names no entry, or not one attribute of it")
        return cls(name, unquote(attribute))


@dataclass(frozen=True, slots=True)
class Found:
    """The values of the attribute."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the search; `refusal` is empty where it was successful."""

    refusal: str


def write_search(place: Place) -> bytes:
    """The request."""
    search = write_element(
        _SEARCH,
        write_element(_OCTETS, place.name.encode()),
        # One entry alone, aliases as they stand, no limits of the server's beyond its own.
        write_element(_ENUMERATED, b"\0"),
        write_element(_ENUMERATED, b"\0"),
        write_element(_INTEGER, b"\0"),
        write_element(_INTEGER, b"\0"),
        write_element(_BOOLEAN, b"\0"),
        _PRESENT,
        write_element(_SEQUENCE, write_element(_OCTETS, place.attribute.encode())),
    )
    return write_element(_SEQUENCE, write_element(_INTEGER, bytes((_MESSAGE_ID,))), search)


def message_length(start: bytes) -> int | None:
    """How long a message is that begins so; None where more of it is needed to say."""
    if len(start) < _HEAD:
        return None
    if start[0] != _SEQUENCE:
        raise InvalidSyntax("it speaks no LDAP")
    count = start[1] & 0x7F if start[1] & 0x80 else 0
    if count > _MAX_LENGTH_OCTETS or start[1] == _INDEFINITE:
        raise InvalidSyntax("a length is out of range")
    if len(start) < _HEAD + count:
        return None
    length = int.from_bytes(start[_HEAD : _HEAD + count], "big") if count else start[1]
    return _HEAD + count + length


def read_message(octets: bytes) -> Found | Done | None:
    """An answer to the search; None where it is of no account. Raises InvalidSyntax."""
    message = _within(Reader(octets), _SEQUENCE)
    number = _within(message, _INTEGER).rest()
    if int.from_bytes(number, "big") != _MESSAGE_ID:
        raise InvalidSyntax("an answer to something else, or a farewell")
    tag = message.u8()
    body = _within(message)
    if tag == _ENTRY:
        return _found(body)
    if tag == _DONE:
        return _done(body)
    if tag == _REFERENCE:
        return None
    raise InvalidSyntax("no answer to a search")


def _found(body: Reader) -> Found:
    _within(body, _OCTETS)
    attributes = _within(body, _SEQUENCE)
    values: list[bytes] = []
    # What else an entry has was not asked for.
    while attributes.remaining:
        attribute = _within(attributes, _SEQUENCE)
        _within(attribute, _OCTETS)
        own = _within(attribute, _SET)
        while own.remaining:
            values.append(_within(own, _OCTETS).rest())
    return Found(tuple(values))


def _done(body: Reader) -> Done:
    code = int.from_bytes(_within(body, _ENUMERATED).rest(), "big")
    if code == _SUCCESS:
        return Done("")
    _within(body, _OCTETS)
    said = printable(_within(body, _OCTETS).rest())
    return Done(f"it answers {_CODES.get(code, code)}{': ' if said else ''}{said}")


def _within(reader: Reader, tag: int | None = None) -> Reader:
    return read_element(reader, tag, _MAX_LENGTH_OCTETS)


_CODES = {
    1: "operationsError",
    2: "protocolError",
    8: "strongerAuthRequired",
    10: "referral",
    16: "noSuchAttribute",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
}
