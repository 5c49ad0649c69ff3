"""DER elements (X.690), as far as names, bundles and directories need them."""

from __future__ import annotations

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.octets import Reader

# What is within a payload has 65535 octets at most.
_MAX_LENGTH_OCTETS = 2


def read_element(
    reader: Reader, tag: int | None = None, length_octets: int = _MAX_LENGTH_OCTETS
) -> Reader:
    """The body of an element, whose tag is read here where one is asked for."""
    if tag is not None and (found := reader.u8()) != tag:
        raise InvalidSyntax(f"an element has the tag {found:02x}, not {tag:02x}")
    length = reader.u8()
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= length_octets:
            raise InvalidSyntax("the length of an element is out of range")
        length = int.from_bytes(reader.octets(count), "big")
    return reader.within(length)


def check_end(reader: Reader) -> None:
    """Refuse what stands behind. Raises InvalidSyntax."""
    if reader.remaining:
        raise InvalidSyntax("octets behind the end of an element")


def write_element(tag: int, *parts: bytes) -> bytes:
    """An element."""
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body
