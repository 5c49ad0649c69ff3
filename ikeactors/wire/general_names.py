"""The kinds of GeneralName that name a peer (RFC 5280 section 4.2.1.6), for ID_DER_ASN1_GN."""

from __future__ import annotations

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.der import check_end, read_element, write_element
from ikeactors.wire.names import read_name
from ikeactors.wire.octets import Reader

_RFC822_NAME, _DNS_NAME, _DIRECTORY_NAME, _IP_ADDRESS = 0x81, 0x82, 0xA4, 0x87

_ADDRESS_KINDS = {4: IdType.IPV4_ADDR, 16: IdType.IPV6_ADDR}


def read_general_name(der: bytes) -> tuple[IdType, bytes]:
    """The type and data of the identification that says the same. Raises InvalidSyntax."""
    reader = Reader(der)
    tag = reader.u8()
    body = read_element(reader).rest()
    check_end(reader)
    kind = _ADDRESS_KINDS.get(len(body)) if tag == _IP_ADDRESS else _KINDS.get(tag)
    if kind is None or not body:
        raise InvalidSyntax("a GeneralName of no kind that names a peer")
    if kind is IdType.DER_ASN1_DN:
        read_name(body)
    return kind, body


def write_general_name(kind: IdType, data: bytes) -> bytes:
    """The DER of what such an identification says. Raises KeyError for one that is of no kind."""
    return write_element(_TAGS[kind], data)


_KINDS: dict[int, IdType] = {
    _RFC822_NAME: IdType.RFC822_ADDR,
    _DNS_NAME: IdType.FQDN,
    # A Name is a CHOICE, so its tag is explicit.
    _DIRECTORY_NAME: IdType.DER_ASN1_DN,
}

_TAGS: dict[int, int] = {
    **{kind: tag for tag, kind in _KINDS.items()},
    IdType.IPV4_ADDR: _IP_ADDRESS,
    IdType.IPV6_ADDR: _IP_ADDRESS,
}
