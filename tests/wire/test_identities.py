"""Identities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity, read_identity, write_identity
from ikeactors.wire.names import name_from_text
from ikeactors.wire.octets import MAX_PRINTED
from tests.wire.strategies import identities

TABLE = [
    ("an IPv4 address", Identity(IdType.IPV4_ADDR, b"\x0a\0\0\1"), "01000000 0a000001"),
    (
        "an IPv6 address",
        Identity(IdType.IPV6_ADDR, bytes(15) + b"\1"),
        "05000000" + "00" * 15 + "01",
    ),
    ("a name", Identity(IdType.FQDN, b"a.lab"), "02000000 612e6c6162"),
    ("a key ID", Identity(IdType.KEY_ID, b"\0\xff"), "0b000000 00ff"),
    ("nobody", Identity(IdType.NULL, b""), "0d000000"),
    ("an unknown type", Identity(IdType(200), b"x"), "c8000000 78"),
]


@pytest.mark.parametrize(("description", "value", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_identities_are_read_and_written(description: str, value: Identity, octets: str) -> None:
    assert read_identity(bytes.fromhex(octets)) == value
    assert write_identity(value) == bytes.fromhex(octets)


def test_reserved_octets_are_ignored() -> None:
    assert read_identity(b"\x02\xff\xff\xffa") == Identity(IdType.FQDN, b"a")


BAD = [
    ("cut off", "010000"),
    ("IPv4 of 3 octets", "01000000 0a0000"),
    ("IPv4 of 5 octets", "01000000 0a00000101"),
    ("IPv6 of 15 octets", "05000000" + "00" * 15),
    ("IPv6 of 17 octets", "05000000" + "00" * 17),
    ("an empty name", "02000000"),
    ("an empty e-mail address", "03000000"),
    ("an empty distinguished name", "09000000"),
    ("an empty key ID", "0b000000"),
]


@pytest.mark.parametrize(("description", "octets"), BAD, ids=[row[0] for row in BAD])
def test_a_malformed_identity_is_invalid(description: str, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_identity(bytes.fromhex(octets))


TEXTS = [
    ("a.lab", IdType.FQDN, b"a.lab", "a.lab"),
    (" a.lab ", IdType.FQDN, b"a.lab", "a.lab"),
    ("@a.lab", IdType.FQDN, b"a.lab", "a.lab"),
    ("fqdn:10.0.0.1", IdType.FQDN, b"10.0.0.1", "fqdn:10.0.0.1"),
    ("dns:a.lab", IdType.FQDN, b"a.lab", "a.lab"),
    ("*.lab", IdType.FQDN, b"*.lab", "*.lab"),
    ("10.0.0.1", IdType.IPV4_ADDR, b"\x0a\0\0\1", "10.0.0.1"),
    ("ipv4:10.0.0.1", IdType.IPV4_ADDR, b"\x0a\0\0\1", "10.0.0.1"),
    ("2001::1", IdType.IPV6_ADDR, b"\x20\x01" + bytes(13) + b"\1", "2001::1"),
    ("ipv6:::", IdType.IPV6_ADDR, bytes(16), "::"),
    ("user@host", IdType.RFC822_ADDR, b"user@host", "user@host"),
    ("@@user", IdType.RFC822_ADDR, b"user", "email:user"),
    ("email:user@host", IdType.RFC822_ADDR, b"user@host", "user@host"),
    ("@#6b6579", IdType.KEY_ID, b"key", "keyid:key"),
    ("keyid:key", IdType.KEY_ID, b"key", "keyid:key"),
    ("KEYID:#00ff", IdType.KEY_ID, b"\0\xff", "keyid:#00ff"),
    ("{11}:key", IdType.KEY_ID, b"key", "keyid:key"),
    ("{200}:#00ff", IdType(200), b"\0\xff", "{200}:#00ff"),
    ("asn1gn:#00", IdType.DER_ASN1_GN, b"\0", "asn1gn:#00"),
    ("null:", IdType.NULL, b"", "null:"),
    (
        "C=DE, O=x, CN=y@z",
        IdType.DER_ASN1_DN,
        name_from_text("C=DE, O=x, CN=y@z"),
        "C=DE, O=x, CN=y@z",
    ),
    ("asn1dn:CN=y", IdType.DER_ASN1_DN, name_from_text("CN=y"), "CN=y"),
    ("asn1dn:#3000", IdType.DER_ASN1_DN, b"0\0", "asn1dn:"),
    ("asn1dn:#ff", IdType.DER_ASN1_DN, b"\xff", "asn1dn:#ff"),
]


@pytest.mark.parametrize(("text", "kind", "data", "printed"), TEXTS, ids=[row[0] for row in TEXTS])
def test_an_identity_is_what_its_text_says(
    text: str, kind: IdType, data: bytes, printed: str
) -> None:
    identity = Identity.from_text(text)
    assert identity == Identity(kind, data)
    assert str(identity) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@#",
        "@#zz",
        "%any",
        "2001:::1",
        "ipv4:a.lab",
        "ipv4:#00",
        "keyid:",
        "{4}:text",
        "{256}:#00",
        "null:x",
        "QQ=x",
        "CN=",
    ],
)
def test_a_text_that_is_no_identity_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"identity|octets") as raised:
        Identity.from_text(text)
    assert repr(text) in str(raised.value)


@given(identities)
def test_identities_survive_writing_and_reading(identity: Identity) -> None:
    assert read_identity(write_identity(identity)) == identity


@given(identities)
def test_any_identity_prints_as_one_short_line(identity: Identity) -> None:
    text = str(identity)
    assert len(text) <= MAX_PRINTED
    assert text.isprintable()


@given(st.from_regex(r"[a-z0-9.:@*-]{1,30}", fullmatch=True), st.sampled_from([2, 3, 11]))
def test_what_is_printed_is_read_back(text: str, kind: int) -> None:
    identity = Identity(IdType(kind), text.encode())
    assert Identity.from_text(str(identity)) == identity


def test_a_hostile_name_is_printed_escaped_and_cut() -> None:
    assert str(Identity(IdType.FQDN, b"a\n\x1b$(x)%n\0")) == "a\\n\\x1b$(x)%n\\x00"
    assert str(Identity(IdType.FQDN, b"keyid:root")) == "fqdn:keyid:root"
    assert len(str(Identity(IdType.KEY_ID, b"\0" * 65000))) == MAX_PRINTED
    assert len(str(Identity(IdType.RFC822_ADDR, b"\n" * 65000))) == MAX_PRINTED
    long_name = Identity(IdType.DER_ASN1_DN, name_from_text("CN=" + "a" * 60000))
    assert str(long_name).startswith("asn1dn:#30")
