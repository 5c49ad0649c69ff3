"""Which address, which identity and which secret fits."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikeactors.protocol.name_patterns import NamePattern, RdnMatching
from ikeactors.protocol.settings import (
    AddressPattern,
    IdentityPattern,
    Secret,
    SelectorTemplate,
    Settings,
)
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import name_from_text
from ikeactors.wire.selectors import TrafficSelector
from tests.pair import connection

ANY4 = AddressPattern(ip_address("0.0.0.0"), ip_address("255.255.255.255"))
LOCAL, REMOTE, MOVED = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))


def exactly(text: str) -> IdentityPattern:
    return IdentityPattern(Identity.from_text(text))


def ending(text: str) -> IdentityPattern:
    return IdentityPattern(None, Identity.from_text(text))


def test_address_patterns_match_within_their_family() -> None:
    assert ANY4.matches(ip_address("192.0.2.1"))
    assert not ANY4.matches(ip_address("2001:db8::1"))
    assert ANY4.single is None
    one = AddressPattern(ip_address("192.0.2.1"), ip_address("192.0.2.1"))
    assert one.single == ip_address("192.0.2.1")
    assert not one.matches(ip_address("192.0.2.2"))


@pytest.mark.parametrize(
    ("pattern", "identity", "quality"),
    [
        (IdentityPattern(), "anybody.example", 1),
        (ending("fqdn:.example.org"), "a.Example.ORG", 2),
        (ending("fqdn:.example.org"), "example.org", 0),
        (ending("fqdn:.example.org"), "email:a@x.example.org", 0),
        (exactly("a.example"), "A.EXAMPLE", 3),
        (exactly("a.example"), "b.example", 0),
        (exactly("keyid:abc"), "keyid:ABC", 0),
        (exactly("keyid:abc"), "keyid:abc", 3),
        (exactly("a.example"), "keyid:a.example", 0),
        (exactly("C=CH, O=Example"), "C=ch, O=EXAMPLE", 3),
        (exactly("C=CH, O=Example"), "O=Example, C=CH", 0),
        (exactly("asn1dn:#ff"), "asn1dn:#ff", 3),
        (exactly("asn1gn:C=CH"), "asn1gn:c=ch", 3),
        (exactly("asn1gn:a.example"), "asn1gn:A.example", 3),
        (exactly("asn1gn:a.example"), "a.example", 0),
        (exactly("asn1gn:#00"), "asn1gn:#00", 3),
        (IdentityPattern(among=ANY4), "192.0.2.1", 2),
        (IdentityPattern(among=ANY4), "2001:db8::1", 0),
        (IdentityPattern(among=ANY4), "a.example", 0),
        (IdentityPattern(among=NamePattern(name_from_text("CN=*"))), "CN=a", 2),
        (IdentityPattern(among=NamePattern(name_from_text("CN=*"))), "O=a", 0),
    ],
)
def test_the_better_an_identity_fits_the_higher_its_quality(
    pattern: IdentityPattern, identity: str, quality: int
) -> None:
    assert pattern.quality(Identity.from_text(identity)) == quality


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (IdentityPattern(), "%any"),
        (exactly("a.example"), "a.example"),
        (ending("fqdn:.example.org"), "*.example.org"),
        (IdentityPattern(among=ANY4), "%any"),
        (IdentityPattern(among=NamePattern(name_from_text("C=CH, CN=*"))), "C=CH, CN=*"),
        (
            IdentityPattern(among=NamePattern(name_from_text("C=CH"), RdnMatching.RELAXED)),
            "C=CH (relaxed)",
        ),
    ],
)
def test_a_pattern_prints_as_it_is_written(pattern: IdentityPattern, text: str) -> None:
    assert str(pattern) == text


def test_the_secret_that_names_both_ends_best_is_taken() -> None:
    west, east = Identity.from_text("west.example"), Identity.from_text("east.example")
    anybody = Secret("any", (), b"anybody")
    remote = Secret("remote", (exactly("east.example"),), b"remote")
    both = Secret("both", (exactly("east.example"), exactly("west.example")), b"both")
    stranger = Secret("stranger", (exactly("south.example"),), b"stranger")
    assert Settings((), (anybody, remote, both, stranger)).secret_for(west, east) == b"both"
    assert Settings((), (anybody, remote)).secret_for(west, east) == b"remote"
    assert Settings((), (stranger, anybody)).secret_for(west, east) == b"anybody"
    assert Settings((), (stranger,)).secret_for(west, east) is None


def test_a_secret_that_names_us_alone_is_not_for_the_peer() -> None:
    ours = Secret("ours", (exactly("west.example"),), b"ours")
    west, east = Identity.from_text("west.example"), Identity.from_text("east.example")
    assert Settings((), (ours,)).secret_for(west, east) is None


def test_candidates_come_in_the_order_of_the_configuration() -> None:
    first, second = connection(name="first"), connection(name="second")
    elsewhere = connection(name="elsewhere", remote_addrs=(replace(ANY4, last=ANY4.first),))
    settings = Settings((first, elsewhere, second))
    found = settings.candidates(ip_address("192.0.2.1"), ip_address("192.0.2.2"))
    assert [one.name for one in found] == ["first", "second"]
    assert settings.connection("second") is second
    assert settings.connection("third") is None
    assert first.child("net") is first.children[0]
    assert first.child("other") is None


def test_a_connection_is_found_by_the_name_that_an_address_has_now() -> None:
    named = connection(name="named", remote_addrs=(), remote_names=("gw", "other"))
    anybody = connection(name="anybody", remote_addrs=())
    both = connection(
        name="both", remote_addrs=(AddressPattern(REMOTE, REMOTE),), remote_names=("gw",)
    )
    ours = connection(name="ours", remote_addrs=(), local_names=("me",))
    names = {REMOTE: ("gw",), MOVED: ("gw",), LOCAL: ("me",)}
    settings = Settings(
        (named, anybody, both, ours), names_of=lambda address: names.get(address, ())
    )
    everybody = ["named", "anybody", "both", "ours"]
    for remote in (REMOTE, MOVED):
        assert [one.name for one in settings.candidates(LOCAL, remote)] == everybody
    assert [one.name for one in settings.candidates(LOCAL, LOCAL)] == ["anybody", "ours"]
    assert [one.name for one in settings.candidates(MOVED, MOVED)] == ["named", "anybody", "both"]
    del names[REMOTE]
    assert [one.name for one in settings.candidates(MOVED, REMOTE)] == ["anybody", "both"]


def test_a_dynamic_selector_is_the_outer_address() -> None:
    address = ip_address("2001:db8::1")
    template = SelectorTemplate(None, 6, 80, 80)
    assert template.resolve(address) == TrafficSelector(6, 80, 80, address, address)
    fixed = TrafficSelector.of_network(ip_network("10.0.0.0/8"))
    assert SelectorTemplate(fixed).resolve(address) == fixed


def test_secrets_are_in_no_representation() -> None:
    secret = Secret("psk", (), b"hush")
    assert "hush" not in repr(Settings((), (secret,)))
