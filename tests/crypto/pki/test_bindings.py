"""Identities in certificates."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.crypto.pki.bindings import (
    AddressBinding,
    alternative_names,
    binds,
    check_binding,
    identity_from,
    lies_within,
)
from ikeactors.crypto.pki.certificates import read_certificate
from ikeactors.errors import CertificateRefused
from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity
from tests.crypto.pki.making import authority, certify, name
from tests.lab.certifying import address_blocks

ROOT = authority("CN=root")
SUN = certify(
    "C=CH,O=Example,CN=Sun Gateway",
    ROOT,
    [
        (
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("Sun.example.org"),
                    x509.DNSName("*.wild.example.org"),
                    x509.RFC822Name("Ops@Example.org"),
                    x509.IPAddress(ip_address("192.0.2.1")),
                    x509.IPAddress(ip_address("2001:db8::1")),
                    x509.IPAddress(ip_network("198.51.100.0/24")),
                    x509.DirectoryName(name("CN=other")),
                ]
            ),
            False,
        ),
        (x509.SubjectKeyIdentifier(b"\x01\x02\x03"), False),
    ],
).certificate


@pytest.mark.parametrize(
    "text",
    [
        "sun.example.org",
        "SUN.EXAMPLE.ORG",
        "Ops@example.org",
        "192.0.2.1",
        "2001:db8::1",
        "keyid:010203",
        "C=CH, O=Example, CN=Sun Gateway",
        "CN=other",
        "asn1gn:sun.EXAMPLE.org",
        "asn1gn:Ops@example.org",
        "asn1gn:192.0.2.1",
        "asn1gn:2001:db8::1",
        "asn1gn:CN=Other",
    ],
)
def test_what_the_certificate_names_it_binds(text: str) -> None:
    """(RFC 4945 section 3.1)"""
    identity = Identity.from_text(text)
    if text.startswith("C="):
        identity = Identity(IdType.DER_ASN1_DN, SUN.subject.public_bytes())
    if text.startswith("keyid:"):
        identity = Identity(IdType.KEY_ID, b"\x01\x02\x03")
    check_binding(SUN, identity)


@pytest.mark.parametrize(
    "identity",
    [
        Identity(IdType.FQDN, b"moon.example.org"),
        Identity(IdType.FQDN, b"sun.example.org."),
        Identity(IdType.FQDN, b"sun.example.org\0.evil.org"),
        Identity(IdType.FQDN, "sün.example.org".encode()),
        Identity(IdType.FQDN, b"a.wild.example.org"),
        Identity(IdType.FQDN, b"192.0.2.1"),
        Identity(IdType.RFC822_ADDR, b"ops@example.org"),
        Identity(IdType.RFC822_ADDR, b"sun.example.org"),
        Identity(IdType.IPV4_ADDR, bytes((192, 0, 2, 2))),
        Identity(IdType.IPV4_ADDR, bytes((198, 51, 100, 7))),
        Identity(IdType.KEY_ID, b"\x01\x02"),
        Identity(IdType.DER_ASN1_DN, b"\x30\x00"),
        Identity(IdType.DER_ASN1_DN, b"\x30\x80"),
        Identity(IdType.NULL, b""),
        Identity.from_text("asn1gn:moon.example.org"),
        Identity.from_text("asn1gn:198.51.100.7"),
        Identity(IdType.DER_ASN1_GN, b""),
        Identity(IdType.DER_ASN1_GN, b"\x82\x10sun.example.org"),
        Identity(IdType.DER_ASN1_GN, b"\x86\x0fsun.example.org"),
        Identity(IdType.DER_ASN1_GN, b"\x87\x08\xc6\x33\x64\0\xff\xff\xff\0"),
    ],
)
def test_what_it_does_not_name_it_does_not_bind(identity: Identity) -> None:
    """Cases E2 and E3."""
    with pytest.raises(CertificateRefused, match="CN=Sun Gateway does not hold the identity"):
        check_binding(SUN, identity)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("C=CH, O=Example, CN=Sun Gateway", True),
        ("C=CH, O=EXAMPLE, CN=sun  gateway", True),
        ("O=Example, C=CH, CN=Sun Gateway", False),
        ("C=CH, O=Example", False),
        ("C=CH, O=Example, CN=Sun Gateway, CN=x", False),
        ("C=CH, O=Example, CN=Sun-Gateway", False),
    ],
)
def test_a_name_is_the_subject_whatever_the_kind_of_string(text: str, same: bool) -> None:
    """(RFC 5280 section 7.1)"""
    subject = x509.Name(reversed(name("C=CH,O=Example,CN=Sun Gateway").rdns))
    certificate = certify(subject.rfc4514_string(), ROOT).certificate
    order = certificate.subject.rfc4514_string(), text
    assert binds(certificate, Identity.from_text(text)) is same, order


def test_without_a_configured_identity_it_is_the_subject() -> None:
    assert identity_from(SUN).data == SUN.subject.public_bytes()


def test_names_no_reader_can_tell_apart_are_passed_over() -> None:
    """Case E3: a NUL in a dNSName."""
    raw = x509.DNSName._init_without_validation("sun.example.org\0.evil.org")
    holder = certify("CN=evil", ROOT, [(x509.SubjectAlternativeName([raw]), False)])
    assert alternative_names(read_certificate(holder.certificate.public_bytes(Encoding.DER))) == ()


def test_the_refusal_lists_what_the_certificate_holds() -> None:
    with pytest.raises(CertificateRefused, match=r"it holds CN=Sun Gateway, .*Sun\.example\.org"):
        check_binding(SUN, Identity.from_text("moon.example.org"))


BLOCKS = certify(
    "CN=router",
    ROOT,
    [(address_blocks([ip_network("10.1.0.0/16"), ip_network("2001:db8::/32")]), True)],
).certificate


@pytest.mark.parametrize(
    ("certificate", "text", "within"),
    [
        (SUN, "198.51.100.7", True),
        (SUN, "asn1gn:198.51.100.7", True),
        (SUN, "198.51.101.7", False),
        (SUN, "2001:db8::2", False),
        (SUN, "host.example.org", False),
        (BLOCKS, "10.1.255.255", True),
        (BLOCKS, "10.2.0.0", False),
        (BLOCKS, "2001:db8:ffff::1", True),
    ],
)
def test_an_address_may_be_one_of_a_network_or_of_address_blocks(
    certificate: x509.Certificate, text: str, within: bool
) -> None:
    identity = Identity.from_text(text)
    with pytest.raises(CertificateRefused, match="does not hold the identity"):
        check_binding(certificate, identity)
    assert lies_within(certificate, identity) is within
    if within:
        check_binding(certificate, identity, AddressBinding.WITHIN)


def test_without_a_key_identifier_it_is_the_hash_of_the_key() -> None:
    """(RFC 5280 section 4.2.1.2)"""
    digest = x509.SubjectKeyIdentifier.from_public_key(BLOCKS.public_key()).digest
    assert binds(BLOCKS, Identity(IdType.KEY_ID, digest))
    assert not binds(SUN, Identity(IdType.KEY_ID, digest))
