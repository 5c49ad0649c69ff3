"""General names, as identifications hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.general_names import read_general_name, write_general_name
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import name_from_text

NAME = name_from_text("C=CH, CN=x")

TABLE = [
    ("an e-mail address", IdType.RFC822_ADDR, b"a@b", "8103 614062"),
    ("a name", IdType.FQDN, b"a.lab", "8205 612e6c6162"),
    ("a distinguished name", IdType.DER_ASN1_DN, NAME, f"a4{len(NAME):02x} {NAME.hex()}"),
    ("an IPv4 address", IdType.IPV4_ADDR, b"\x0a\0\0\1", "8704 0a000001"),
    ("an IPv6 address", IdType.IPV6_ADDR, bytes(15) + b"\1", "8710" + "00" * 15 + "01"),
]


@pytest.mark.parametrize(("what", "kind", "data", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_general_names_are_read_and_written(
    what: str, kind: IdType, data: bytes, octets: str
) -> None:
    """(RFC 5280 section 4.2.1.6)"""
    assert read_general_name(bytes.fromhex(octets)) == (kind, data)
    assert write_general_name(kind, data) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "82",
        "8205 612e",
        "8200",
        "8201 6100",
        "8704 0a0000",
        "8708 0a000000ff000000",
        "8601 61",
        "8801 2a",
        "a003 0601 2a",
        "a402 3100",
        "a404 3002 0500",
        "8280 61",
    ],
)
def test_what_names_no_peer_is_invalid(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_general_name(bytes.fromhex(octets))


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """Case E3: an identity of octets that are no name."""
    try:
        kind, data = read_general_name(octets)
    except InvalidSyntax:
        return
    assert read_general_name(write_general_name(kind, data)) == (kind, data)


@pytest.mark.parametrize(
    "text", ["a.lab", "carol@a.lab", "192.0.2.1", "2001:db8::1", "C=CH, CN=x", "#00", "#820561"]
)
def test_an_identity_with_a_general_name_prints_what_it_names(text: str) -> None:
    identity = Identity.from_text(f"asn1gn:{text}")
    assert str(identity) == f"asn1gn:{text}"
    if not text.startswith("#"):
        assert identity.named == Identity.from_text(text)


def test_what_a_general_name_cannot_name_has_to_be_octets() -> None:
    with pytest.raises(ValueError, match="a name, an address"):
        Identity.from_text("asn1gn:keyid:x")
