"""Two ends with identities of each kind, and what their certificates have to hold for it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.crypto.pki.bindings import AddressBinding
from ikeactors.iana import IdType
from ikeactors.protocol.name_patterns import NamePattern, RdnMatching
from ikeactors.protocol.patterns import AddressPattern
from ikeactors.protocol.settings import AuthSettings, IdentityPattern
from ikeactors.wire.identities import Identity
from tests.crypto.pki.making import NOW, Extensions, Holder, authority, certify
from tests.lab.certifying import address_blocks
from tests.pair import Pair, connection, opposite
from tests.protocol.ikev2.test_public_keys import by_key, keyring, named

WIDE = [(address_blocks([ip_network("192.0.0.0/8"), ip_network("10.0.0.0/8")]), True)]
ROOT = authority("CN=root", extensions=WIDE)


def certificate_of(end: str, extensions: Extensions) -> Holder:
    return certify(f"CN={end},O=lab,C=CH", ROOT, extensions)


def pair_of(
    western: Extensions,
    claimed: AuthSettings,
    expected: AuthSettings,
    west: Holder | None = None,
) -> Pair:
    """The western end is `claimed`; the eastern one takes `expected`."""
    own = west or certificate_of("west", western)
    east = certificate_of("east", named(x509.DNSName("east.example")))
    settings = connection(local=claimed, remote=by_key("east.example"))
    mirror = replace(opposite(settings), remote=expected)
    credentials = {"west": keyring(own, anchor=ROOT), "east": keyring(east, anchor=ROOT)}
    return Pair(settings, mirror, credentials=credentials, wall_clock=NOW)


def identified(pattern: IdentityPattern, **changes: object) -> AuthSettings:
    return replace(by_key("any.example"), id=pattern, **changes)  # type: ignore[arg-type]


def within(network: str) -> AuthSettings:
    """A peer that is an address of a network its certificate is for."""
    net = ip_network(network)
    assert isinstance(net, IPv4Network)
    pattern = IdentityPattern(among=AddressPattern(net[0], net[-1]))
    return identified(pattern, address_binding=AddressBinding.WITHIN)


NETWORK = x509.IPAddress(ip_network("192.0.2.0/24"))
WEST_ADDRESS = x509.IPAddress(ip_address("192.0.2.1"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (x509.DNSName("west.example"), "asn1gn:west.example"),
        (x509.RFC822Name("carol@west.example"), "asn1gn:carol@west.example"),
        (WEST_ADDRESS, "asn1gn:192.0.2.1"),
        (x509.DirectoryName(x509.Name.from_rfc4514_string("CN=other")), "asn1gn:CN=other"),
    ],
    ids=["dNSName", "rfc822Name", "iPAddress", "directoryName"],
)
def test_a_general_name_of_the_certificate_is_an_identity(
    name: x509.GeneralName, said: str
) -> None:
    """(RFC 7296 section 3.5)"""
    pair = pair_of(named(name), by_key(said), by_key(said)).establish()
    pair.assert_mirrored()
    assert pair.east.said("peer-key-checked")[0].text.startswith(f"{said} signs by")


def test_a_general_name_that_no_certificate_holds_is_not_ours() -> None:
    said = by_key("asn1gn:other.example")
    west = certificate_of("west", ())
    pair = pair_of((), replace(said, certificates=()), said, west)
    pair.initiate()
    pair.settle()
    assert "no certificate with its private key for asn1gn:other.example" in (
        pair.west.association.failure
    )


def test_an_address_in_a_general_name_is_where_the_packets_come_from() -> None:
    """(RFC 4945 section 3.1.1)"""
    said = by_key("asn1gn:192.0.2.77")
    pair = pair_of(named(x509.IPAddress(ip_address("192.0.2.77"))), said, said)
    refuse(pair, "its packets come from 192.0.2.1")


@pytest.mark.parametrize(
    ("wanted", "matching", "stands"),
    [
        ("C=CH, O=lab, CN=*", RdnMatching.STRICT, True),
        ("CN=*, O=lab, C=CH", RdnMatching.STRICT, False),
        ("CN=west, O=lab, C=CH", RdnMatching.REORDERED, True),
        ("O=lab", RdnMatching.RELAXED, True),
        ("O=lab, OU=else", RdnMatching.RELAXED, False),
    ],
)
def test_a_distinguished_name_by_its_pattern(
    wanted: str, matching: RdnMatching, stands: bool
) -> None:
    west = certificate_of("west", ())
    subject = Identity(IdType.DER_ASN1_DN, west.certificate.subject.public_bytes())
    pattern = NamePattern(Identity.from_text(f"asn1dn:{wanted}").data, matching)
    claimed = identified(IdentityPattern(subject))
    pair = pair_of((), claimed, identified(IdentityPattern(among=pattern)), west)
    if stands:
        pair.establish().assert_mirrored()
    else:
        refuse(pair, "no connection")


@pytest.mark.parametrize("is_named", [True, False])
def test_a_key_id_is_any_octets_where_the_connection_names_the_certificate(is_named: bool) -> None:
    """(RFC 7296 section 3.5)"""
    west = certificate_of("west", ())
    der = (west.certificate.public_bytes(Encoding.DER),)
    claimed = by_key("keyid:router-7", certificates=der)
    expected = by_key("keyid:router-7", certificates=der if is_named else ())
    pair = pair_of((), claimed, expected, west)
    if is_named:
        pair.establish().assert_mirrored()
    else:
        refuse(pair, "does not hold the identity keyid:router-7")


def test_a_certificate_may_be_for_a_subnet() -> None:
    """By an iPAddress with a mask, and by address blocks; these limit the traffic, too."""
    claimed = by_key("192.0.2.1")
    pair_of(named(NETWORK), claimed, within("192.0.2.0/24")).establish().assert_mirrored()
    blocks = address_blocks([ip_network("192.0.2.0/25"), ip_network("10.1.128.0/17")])
    pair = pair_of([(blocks, True)], claimed, within("192.0.2.0/24")).establish()
    children = pair.east.association.children
    assert [str(one) for child in children for one in child.agreement.remote_ts] == [
        "10.1.128.0/17"
    ]


def test_the_holder_of_a_subnet_is_nobody_outside() -> None:
    claimed = by_key("192.0.2.1")
    refuse(pair_of(named(WEST_ADDRESS), claimed, within("192.0.3.0/24")), "no connection")
    exact = within("192.0.2.0/24")
    exact = replace(exact, address_binding=AddressBinding.EXACT)
    refuse(pair_of(named(NETWORK), claimed, exact), "does not hold the identity 192.0.2.1")


def refuse(pair: Pair, *words: str) -> None:
    """The eastern end refuses, for a reason in which these words are."""
    pair.initiate()
    pair.settle()
    assert pair.west.association.closed
    said = " ".join(report.text for report in pair.east.reports)
    assert [word for word in words if word not in said] == [], said
