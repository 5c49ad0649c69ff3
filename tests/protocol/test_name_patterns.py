"""Patterns of distinguished names."""

from __future__ import annotations

import pytest

from ikeactors.iana import IdType
from ikeactors.protocol.name_patterns import NamePattern, RdnMatching, has_wildcard
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import name_from_text

STRICT, REORDERED, RELAXED = RdnMatching


@pytest.mark.parametrize(
    ("pattern", "matching", "name", "matches"),
    [
        ("C=CH, O=x, CN=*", STRICT, "C=CH, O=x, CN=anybody", True),
        ("C=CH, O=x, CN=*", STRICT, "C=ch, O= X , CN=anybody", True),
        ("C=CH, O=x, CN=*", STRICT, "C=CH, CN=anybody, O=x", False),
        ("C=CH, O=x, CN=*", STRICT, "C=CH, O=y, CN=anybody", False),
        ("C=CH, O=x, CN=*", STRICT, "C=CH, O=x", False),
        ("C=CH, O=x, CN=*", STRICT, "C=CH, O=x, OU=z, CN=anybody", False),
        ("C=*, O=*, CN=*", STRICT, "C=CH, O=x, CN=y", True),
        ("C=CH, CN=a+UID=*", STRICT, "C=CH, UID=5+CN=a", True),
        ("C=CH, CN=a+UID=*", STRICT, "C=CH, CN=a", False),
        ("CN=*.lab", STRICT, "CN=a.lab", False),
        ("C=CH, O=x, CN=*", REORDERED, "CN=anybody, O=x, C=CH", True),
        ("C=CH, O=x, CN=a", REORDERED, "CN=b, O=x, C=CH", False),
        ("OU=*, OU=a", REORDERED, "OU=a, OU=b", True),
        ("OU=a, OU=a", REORDERED, "OU=a, OU=b", False),
        ("C=CH, O=x", REORDERED, "C=CH, O=x, CN=y", False),
        ("O=x, OU=Engineering", RELAXED, "C=CH, OU=engineering, O=x, CN=John Doe", True),
        ("O=x, OU=Engineering", RELAXED, "C=CH, O=x, CN=John Doe", False),
    ],
)
def test_a_pattern_stands_for_names(
    pattern: str, matching: RdnMatching, name: str, matches: bool
) -> None:
    """(RFC 4945 section 3.1.5)"""
    identity = Identity(IdType.DER_ASN1_DN, name_from_text(name))
    assert NamePattern(name_from_text(pattern), matching).matches(identity) is matches


@pytest.mark.parametrize(
    "identity",
    [
        Identity(IdType.FQDN, b"a.lab"),
        Identity(IdType.DER_ASN1_DN, b"\x30\x80"),
        Identity(IdType.DER_ASN1_DN, b"\x30\x00"),
        Identity(IdType.DER_ASN1_DN, name_from_text(", ".join(["CN=x"] * 65))),
    ],
)
def test_what_is_no_name_fits_none(identity: Identity) -> None:
    """Case E3."""
    assert not NamePattern(name_from_text("CN=*"), RELAXED).matches(identity)


def test_an_asterisk_alone_is_a_wildcard() -> None:
    assert has_wildcard(name_from_text("C=CH, CN=*"))
    assert not has_wildcard(name_from_text("C=CH, CN=*.lab"))
