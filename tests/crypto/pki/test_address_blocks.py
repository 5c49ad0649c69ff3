"""The addresses of certificates, along the path."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto.pki.address_blocks import blocks_of
from ikeactors.crypto.pki.paths import TrustAnchors
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import NOW, Extensions, authority, certify
from tests.lab.certifying import address_blocks

OID = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7")


def blocks(*prefixes: str) -> Extensions:
    return [(address_blocks([ip_network(one) for one in prefixes]), True)]


def raw(octets: str) -> Extensions:
    return [(x509.UnrecognizedExtension(OID, bytes.fromhex(octets)), True)]


ROOT = authority("CN=root", extensions=blocks("10.0.0.0/8", "2001:db8::/32"))


def ranges_of(extensions: Extensions) -> list[str]:
    leaf = certify("CN=leaf", ROOT, extensions).certificate
    found = blocks_of([leaf, ROOT.certificate])
    assert found is not None
    return [f"{first}-{last}" for first, last in found]


@pytest.mark.parametrize(
    ("extensions", "ranges"),
    [
        (blocks("10.2.0.0/16"), ["10.2.0.0-10.2.255.255"]),
        (blocks("10.2.3.4/32"), ["10.2.3.4-10.2.3.4"]),
        (
            blocks("10.2.0.0/15", "2001:db8:1::/48"),
            ["10.2.0.0-10.3.255.255", "2001:db8:1::-2001:db8:1:ffff:ffff:ffff:ffff:ffff"],
        ),
        (raw("3008 3006 0402 0001 0500"), ["10.0.0.0-10.255.255.255"]),
        (
            raw("3016 3014 0402 0001 300e 300c 0303000a05 0305000a050006"),
            ["10.5.0.0-10.5.0.6"],
        ),
        (raw("3009 3007 0403 000102 0500"), []),
    ],
)
def test_ranges_are_read(extensions: Extensions, ranges: list[str]) -> None:
    """(RFC 3779 section 2.2.3)"""
    assert ranges_of(extensions) == ranges


def test_without_the_extension_there_are_no_limits() -> None:
    assert blocks_of([certify("CN=leaf", ROOT).certificate, ROOT.certificate]) is None


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "30",
        "3001",
        "3003 020101",
        "3008 3006 0402 0001 0101",
        "300b 3009 0402 0001 3003 0301 09",
    ],
)
def test_what_is_malformed_is_refused(octets: str) -> None:
    with pytest.raises(CertificateRefused, match="its address blocks"):
        ranges_of(raw(octets))


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """Case E28."""
    extensions = [(x509.UnrecognizedExtension(OID, octets), True)]
    try:
        ranges_of(extensions)
    except CertificateRefused:
        return


@pytest.mark.parametrize(("prefix", "valid"), [("10.2.0.0/16", True), ("192.0.2.0/24", False)])
def test_nobody_certifies_more_than_it_has(prefix: str, valid: bool) -> None:
    """(RFC 3779 section 2.3)"""
    leaf = certify("CN=leaf", ROOT, blocks(prefix)).certificate
    anchors = TrustAnchors([ROOT.certificate])
    if valid:
        path = anchors.validate(leaf, [], NOW)
        assert blocks_of(path.certificates) == (
            (ip_address("10.2.0.0"), ip_address("10.2.255.255")),
        )
        return
    with pytest.raises(CertificateRefused, match="RFC 3779"):
        anchors.validate(leaf, [], NOW)
