"""What DNSSEC proves: asked of a resolver on the loopback, in zones signed by another program."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address

import dns.message
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ikeactors.actors.resolvers import Resolvers
from ikeactors.actors.validation import (
    MAX_QUERIES,
    Unproven,
    Validator,
    read_anchors,
)
from ikeactors.config.certificates import spki_of
from ikeactors.protocol.events import Endpoint
from tests.lab.needs import require
from tests.lab.zones import KEY, Zones, signed_zones

LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def zones() -> Iterator[Zones]:
    require("dnssec")
    with signed_zones() as made:
        yield made


def by_anchors(zones: Zones, now: Callable[[], float] = time.time) -> Validator:
    return Validator(resolvers(zones).ask, read_anchors(zones.anchors), now)


def by_the_resolver(zones: Zones) -> Validator:
    return Validator(resolvers(zones).ask, None, time.time)


def resolvers(zones: Zones) -> Resolvers:
    return Resolvers([Endpoint(LOOPBACK, zones.port)])


ADDRESSES = {
    "gw.lab": ["192.0.2.1"],
    "GW.inner.LAB": ["192.0.2.2", "2001:db8::2"],
    "alias.lab.": ["192.0.2.2", "2001:db8::2"],
}
BOTH = pytest.mark.parametrize("validator_of", [by_anchors, by_the_resolver])


@BOTH
@pytest.mark.parametrize("name", ADDRESSES)
async def test_the_addresses_of_a_signed_name_are_proven(
    zones: Zones, validator_of: Callable[[Zones], Validator], name: str
) -> None:
    found = await validator_of(zones).addresses(name)
    assert found.addresses == tuple(map(ip_address, ADDRESSES[name]))
    assert time.time() < found.until <= time.time() + 301


@BOTH
async def test_the_keys_of_a_signed_name_are_proven(
    zones: Zones, validator_of: Callable[[Zones], Validator]
) -> None:
    """(RFC 4025 section 2)"""
    found = await validator_of(zones).keys("gw.lab")
    assert found.keys == (spki_of(Ed25519PublicKey.from_public_bytes(KEY)),)


# By the reason when we validate, and by that when the resolver does.
REFUSALS = {
    "forged.lab": ("the signature of A of forged.lab. does not hold", "SERVFAIL"),
    "gw.bogus.lab": ("no key of bogus.lab. is the one that is believed", "SERVFAIL"),
    "gw.expired.lab": ("of expired.lab. does not hold: expired", "SERVFAIL"),
    "gw.unsigned.lab": ("A of gw.unsigned.lab. is not signed", "is not signed"),
    "nobody.lab": ("there is no such name", "there is no such name"),
    "gw.example.org": ("SERVFAIL", "SERVFAIL"),
    "a..b": ("is no name of DNS", "is no name of DNS"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_bogus_expired_and_unsigned_names_are_refused(zones: Zones, name: str) -> None:
    ours, theirs = REFUSALS[name]
    with pytest.raises(Unproven, match=ours):
        await by_anchors(zones).addresses(name)
    with pytest.raises(Unproven, match=theirs):
        await by_the_resolver(zones).addresses(name)


async def test_a_wildcard_is_not_believed_by_us(zones: Zones) -> None:
    with pytest.raises(Unproven, match="is made by a wildcard"):
        await by_anchors(zones).addresses("x.wild.lab")


async def test_what_is_proven_now_is_not_when_the_signature_has_ended(zones: Zones) -> None:
    with pytest.raises(Unproven, match="does not hold: expired"):
        await by_anchors(zones, lambda: time.time() + 3 * 86400).addresses("gw.lab")


async def test_below_another_anchor_nothing_is_proven(zones: Zones) -> None:
    other = read_anchors(zones.anchors.replace("lab.", "other."))
    validator = Validator(resolvers(zones).ask, other, time.time)
    with pytest.raises(Unproven, match=r"lab\. is below no trust anchor"):
        await validator.addresses("gw.lab")


async def test_with_another_key_as_anchor_nothing_is_proven(zones: Zones) -> None:
    owner, *fields, digest = zones.anchors.split()
    other = read_anchors(" ".join([owner, *fields, digest[::-1]]))
    validator = Validator(resolvers(zones).ask, other, time.time)
    with pytest.raises(Unproven, match=r"no key of lab\. is the one that is believed"):
        await validator.addresses("gw.lab")


async def test_a_name_without_keys_has_none(zones: Zones) -> None:
    with pytest.raises(Unproven, match="has no IPSECKEY record"):
        await by_anchors(zones).keys("forged.lab")


async def test_who_does_not_answer_is_told() -> None:
    nobody = Resolvers([Endpoint(LOOPBACK, 1)])
    with pytest.raises(Unproven, match=r"no name server answers \(127\.0\.0\.1:1: "):
        await Validator(nobody.ask, None, time.time).addresses("gw.lab")


async def test_the_next_server_is_asked_where_one_does_not_answer(zones: Zones) -> None:
    both = Resolvers([Endpoint(LOOPBACK, 1), Endpoint(LOOPBACK, zones.port)])
    assert (await Validator(both.ask, None, time.time).addresses("gw.lab")).addresses


def over_the_wire(response: dns.message.Message) -> dns.message.Message:
    return dns.message.from_wire(response.to_wire())


def forwarding(zones: Zones, answered: Callable[[dns.message.Message], None]) -> Validator:
    """With somebody on the way who changes answers."""
    ask: Callable[[dns.message.Message], Awaitable[dns.message.Message]] = resolvers(zones).ask

    async def changed(query: dns.message.Message) -> dns.message.Message:
        response = await ask(query)
        answered(response)
        return over_the_wire(response)

    return Validator(changed, read_anchors(zones.anchors), time.time)


async def test_an_answer_without_its_signature_proves_nothing(zones: Zones) -> None:
    def strip(response: dns.message.Message) -> None:
        response.answer = [one for one in response.answer if one.rdtype != dns.rdatatype.RRSIG]

    with pytest.raises(Unproven, match="is not signed"):
        await forwarding(zones, strip).addresses("gw.lab")


async def test_names_that_lead_in_a_circle_end(zones: Zones) -> None:
    async def circle(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        name = query.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", str(name)))
        response.flags |= dns.flags.AD
        return over_the_wire(response)

    with pytest.raises(Unproven, match="more than 4 aliases"):
        await Validator(circle, None, time.time).addresses("gw.lab")


async def test_zones_below_zones_end() -> None:
    """Whoever signs each zone by one above it makes nobody ask for ever."""
    asked = 0
    anchors = read_anchors(f". IN DS 1 13 2 {'00' * 32}")

    async def deep(query: dns.message.Message) -> dns.message.Message:
        nonlocal asked
        asked += 1
        response = dns.message.make_response(query)
        question = query.question[0]
        above = question.name.parent() if len(question.name.labels) > 2 else question.name
        kind = dns.rdatatype.to_text(question.rdtype)
        data = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "DS": f"1 13 2 {'11' * 32}"}
        labels = len(question.name.labels) - 1
        signature = f"{kind} 13 {labels} 60 20400101000000 20200101000000 1 {above} AAAA"
        if kind in data:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, data[kind]))
        rrsig = dns.rrset.from_text(question.name, 60, "IN", "RRSIG", signature)
        response.answer.append(rrsig)
        return over_the_wire(response)

    with pytest.raises(Unproven):
        await Validator(deep, anchors, time.time).addresses(".".join("a" * 60))
    assert asked <= 2 * MAX_QUERIES


@pytest.mark.parametrize("text", ["", "nonsense", "gw.lab. IN A 192.0.2.1", "lab. IN DS 1 2"])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(ValueError, match=r"no records of a zone|no DS or DNSKEY"):
        read_anchors(text)


def test_an_anchor_may_be_a_key() -> None:
    text = "; as root.key has it\n. 86400 IN DNSKEY 257 3 13 AAAA ;;state=2 [  VALID  ]\n"
    assert [str(name) for name in read_anchors(text)] == ["."]
