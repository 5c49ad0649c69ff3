"""Large messages that go out in fragments, and what becomes of those that do not come through."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.iana import PayloadType
from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.choices import Fragmentation
from ikeactors.protocol.events import DatagramReceived, Endpoint, RekeyRequested
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.fragments import IP_HEADER, NON_ESP_MARKER, UDP_HEADER
from ikeactors.protocol.settings import (
    AuthSettings,
    ConnectionSettings,
    IdentityPattern,
    Retransmission,
)
from ikeactors.wire.header import read_header
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import read_message
from ikeactors.wire.payload import EncryptedFragment
from tests.pair import End, Pair, child, connection, esp, ike, opposite, selectors

MARKER = {500: 0, 4500: NON_ESP_MARKER}
CIPHERS = [f"aes{bits}{mode}" for bits in (128, 192, 256) for mode in ("", "ctr")]
SIDES = ("local", "remote")
SUITES = [
    "aes128gcm16-prfsha256-x25519",
    "aes256-sha512-x25519",
    "aes128ctr-sha256-x25519",
    "aes128ccm8-prfsha256-x25519",
    "3des-sha1-modp2048",
]


def large(count: int = 8, name_octets: int = 1000, **changes: object) -> ConnectionSettings:
    """A connection whose IKE_AUTH has `count` traffic selectors a side, and long names."""
    many = child(
        local_ts=selectors(*(f"10.1.{2 * number}.0/24" for number in range(count))),
        remote_ts=selectors(*(f"10.2.{2 * number}.0/24" for number in range(count))),
    )
    ends = {side: AuthSettings("psk", named(side * (name_octets // 5))) for side in SIDES}
    return connection(**{"children": (many,), **ends, **changes})


def named(text: str) -> IdentityPattern:
    return IdentityPattern(Identity.from_text(f"{text}.example"))


def sent(end: End) -> list[SendDatagram]:
    return [one for one in end.actions if isinstance(one, SendDatagram)]


def ip_size(one: SendDatagram) -> int:
    around = IP_HEADER[one.remote.address.version] + UDP_HEADER + MARKER[one.local.port]
    return len(one.octets) + around


def is_fragment(one: SendDatagram) -> bool:
    return one.octets[16] == PayloadType.SKF


def skf(one: SendDatagram) -> EncryptedFragment:
    (payload,) = read_message(one.octets).payloads
    assert isinstance(payload, EncryptedFragment)
    return payload


@pytest.mark.parametrize("words", SUITES)
@pytest.mark.parametrize("size", [256, 300, 576, 577, 578, 1000, 1280])
def test_no_datagram_is_larger_than_it_may_be(words: str, size: int) -> None:
    """(RFC 7383 section 2.5.1)"""
    pair = Pair(large(fragment_size=size, proposals=ike(words))).establish()
    for end in pair.ends():
        protected = [one for one in sent(end) if one.octets[18] != 34]
        assert max(map(ip_size, protected)) <= size
        assert any(map(is_fragment, protected))
        if pair.west.association.ike_sa.suite.cipher.block_octets == 1:
            assert max(map(ip_size, protected)) == size


def test_the_header_of_fragments_is_that_of_the_message() -> None:
    """(RFC 7383 section 2.5)"""
    pair = Pair(large(fragment_size=576)).establish()
    fragments = [one for one in sent(pair.west) if is_fragment(one)]
    headers = [read_header(one.octets) for one in fragments]
    assert len({(one.message_id, one.exchange, one.flags, one.spi_r) for one in headers}) == 1
    inside = [skf(one) for one in fragments]
    assert [one.number for one in inside] == list(range(1, len(inside) + 1))
    assert {one.total for one in inside} == {len(inside)}
    assert [one.next_payload for one in inside[:2]] == [PayloadType.IDI, PayloadType.NONE]
    assert len({one.data[:8] for one in inside}) == len(inside)
    pair.assert_mirrored()


def test_small_messages_are_not_split() -> None:
    """(RFC 7383 section 2.4)"""
    pair = Pair().establish()
    assert not any(map(is_fragment, sent(pair.west) + sent(pair.east)))


def test_the_port_of_nat_traversal_and_ipv6_leave_less_room() -> None:
    west, east = (Endpoint(ip_address(f"2001:db8::{end}"), 500) for end in (1, 2))
    ours = replace(large(fragment_size=576, encap=True), remote_addrs=())
    pair = Pair(ours, replace(opposite(ours), remote_addrs=()))
    pair.west.association = Association.initiating(
        pair.west_settings, ours, west, east, pair.west.association.surroundings
    )
    pair.east.association = Association.responding(
        pair.east_settings, east, west, pair.east.association.surroundings
    )
    pair.establish()
    fragments = [one for one in sent(pair.west) if is_fragment(one)]
    assert fragments[0].local.port == 4500
    assert max(map(ip_size, fragments)) == 576


@pytest.mark.parametrize(("version", "size"), [(4, 576), (6, 1280)])
def test_size_0_is_what_is_recommended(version: int, size: int) -> None:
    """(RFC 7383 section 2.5.1)"""
    addresses = {4: "192.0.2.{}", 6: "2001:db8::{}"}[version]
    west, east = (Endpoint(ip_address(addresses.format(end)), 500) for end in (1, 2))
    ours = replace(large(fragment_size=0), remote_addrs=())
    pair = Pair(ours, replace(opposite(ours), remote_addrs=()))
    pair.west.association = Association.initiating(
        pair.west_settings, ours, west, east, pair.west.association.surroundings
    )
    pair.east.association = Association.responding(
        pair.east_settings, east, west, pair.east.association.surroundings
    )
    pair.establish()
    assert max(ip_size(one) for one in sent(pair.west) if is_fragment(one)) == size


@pytest.mark.parametrize("east", list(Fragmentation))
@pytest.mark.parametrize("west", list(Fragmentation))
def test_both_ends_must_want_it(west: Fragmentation, east: Fragmentation) -> None:
    """(RFC 7383 section 2.3)"""
    ours = large(fragmentation=west)
    pair = Pair(ours, replace(opposite(ours), fragmentation=east)).establish()
    agreed = Fragmentation.NO not in (west, east)
    assert pair.west.association.fragmenting.agreed is agreed
    assert pair.east.association.fragmenting.agreed is agreed
    for end, choice in ((pair.west, west), (pair.east, east)):
        splits = agreed and choice is not Fragmentation.ACCEPT
        assert any(map(is_fragment, sent(end))) is splits
    announced = [line for line in pair.trace[:2] if "FRAGMENTATION_SUPPORTED" in line]
    assert len(announced) == (2 if agreed else west is not Fragmentation.NO)


def test_rekeyed_ike_sas_go_on_with_fragments() -> None:
    pair = Pair(large(fragment_size=256)).establish()
    for end in pair.ends():
        pair.give(end, RekeyRequested())
        pair.settle()
        before = len([one for one in sent(end) if is_fragment(one)])
        pair.give(end, RekeyRequested(child="net"))
        pair.settle()
        pair.pass_time(6)
        assert len([one for one in sent(end) if is_fragment(one)]) > before
    pair.assert_mirrored()


def test_many_proposals_are_split_too() -> None:
    words = [f"{cipher}-{hash_}" for cipher in CIPHERS for hash_ in ("sha256", "sha384", "sha512")]
    many = (child(esp_proposals=esp(*words)),)
    pair = Pair(connection(children=many, fragment_size=576)).establish()
    assert any(map(is_fragment, sent(pair.west)))
    pair.assert_mirrored()


def test_a_request_is_repeated_with_all_its_fragments_unchanged() -> None:
    """(RFC 7296 section 2.1)"""
    pair = Pair(large(fragment_size=576))
    pair.initiate()
    for _ in range(2):
        pair.deliver(pair.flights[0])
    first = [flight.datagram for flight in pair.flights]
    assert len(first) > 2
    pair.drop()
    pair.to_next_timer()
    assert [flight.datagram for flight in pair.flights] == first
    pair.settle()
    assert pair.west.association.established


def test_a_response_is_repeated_with_all_its_fragments_unchanged() -> None:
    pair = Pair(large(fragment_size=576))
    pair.initiate()
    for _ in range(2):
        pair.deliver(pair.flights[0])
    while pair.flights[0].receiver is pair.east:
        pair.deliver(pair.flights[0])
    first = [flight.datagram for flight in pair.flights]
    assert len(first) > 2
    lost = pair.flights.pop(1)
    pair.settle()
    assert not pair.west.association.established
    pair.to_next_timer()
    while any(flight.receiver is pair.east for flight in pair.flights):
        pair.deliver(pair.flights[0])
    assert [flight.datagram for flight in pair.flights] == first
    assert lost.datagram in first
    pair.settle()
    assert pair.west.association.established
    pair.assert_mirrored()


class NarrowPair(Pair):
    """A pair on a path that loses whatever is larger than `limit` octets in IP."""

    limit = 700

    def _send(self, end: End, action: SendDatagram) -> None:
        self.fate = lambda number: int(ip_size(action) <= self.limit)
        super()._send(end, action)


def test_what_does_not_come_through_is_tried_in_smaller_fragments() -> None:
    """(RFC 7383 section 2.5.2)"""
    pair = NarrowPair(large(20, 100))
    start = pair.now
    pair.initiate()
    pair.settle()
    pair.pass_time(30)
    assert pair.west.association.established
    (report,) = pair.west.said("fragments-shrunk")
    assert report.details == {"size": 576, "fragments": 3}
    assert [one.details["tries"] for one in pair.west.said("retransmitted")] == [1, 2]
    assert pair.now - start < 31
    assert pair.east.association.fragmenting.size <= 576
    pair.give(pair.east, RekeyRequested(child="net"))
    pair.settle()
    pair.pass_time(6)
    assert not pair.east.said("retransmitted")
    pair.assert_mirrored()


def test_every_size_is_tried_from_the_configured_one_downwards() -> None:
    hasty = Retransmission(timeout=2.0)
    pair = NarrowPair(large(fragment_size=9000, retransmission=hasty))
    pair.initiate()
    pair.settle()
    pair.pass_time(29)
    assert [one.details["size"] for one in pair.west.said("fragments-shrunk")] == [1280, 576]
    assert pair.west.association.established


def test_the_schedule_starts_over_with_each_size_and_ends() -> None:
    """(RFC 7383 section 2.5.2)"""
    hasty = Retransmission(timeout=1.0, base=2.0, tries=4)
    pair = NarrowPair(large(20, 100, retransmission=hasty))
    pair.limit = 500
    pair.initiate()
    pair.settle()
    start = pair.now
    while not pair.west.association.closed:
        pair.to_next_timer()
        pair.settle()
    assert pair.now - start == pytest.approx((1 + 2 + 4) + (1 + 2 + 4 + 8 + 16))
    assert "does not answer IKE_AUTH (sent 5 times" in pair.west.association.failure


def test_small_requests_are_repeated_as_they_are() -> None:
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.pass_time(60, deliver=False)
    assert not pair.west.said("fragments-shrunk")
    assert len({one.octets for one in sent(pair.west)}) == 3


@pytest.mark.parametrize("west", [Fragmentation.NO, Fragmentation.ACCEPT])
def test_who_sends_no_fragments_does_not_try_smaller_ones(west: Fragmentation) -> None:
    pair = NarrowPair(large(20, 100, fragmentation=west))
    pair.initiate()
    pair.settle()
    pair.pass_time(300)
    assert not pair.west.association.established
    assert not pair.west.said("fragments-shrunk")


def test_few_tries_are_divided_among_the_sizes() -> None:
    pair = NarrowPair(large(20, 100, retransmission=Retransmission(tries=0)))
    pair.initiate()
    pair.settle()
    pair.pass_time(5)
    assert pair.west.association.established


def test_answers_are_no_larger_than_the_fragments_of_the_request() -> None:
    """(RFC 7383 section 2.5.1)"""
    ours = large(fragment_size=600)
    pair = Pair(ours, replace(opposite(ours), fragment_size=1280)).establish()
    assert max(ip_size(one) for one in sent(pair.east) if is_fragment(one)) == 600


def test_tiny_fragments_of_the_peer_do_not_make_ours_tiny() -> None:
    ours = large(fragment_size=256)
    pair = Pair(ours, replace(opposite(ours), fragment_size=1280)).establish()
    assert max(ip_size(one) for one in sent(pair.east) if is_fragment(one)) == 576


def test_octets_behind_a_fragment_are_no_part_of_it() -> None:
    pair = Pair(large())
    pair.nat = lambda one: DatagramReceived(one.octets + b"tail", one.local, one.remote)
    pair.establish()
    assert any(map(is_fragment, sent(pair.west)))
