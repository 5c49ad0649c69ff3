"""A peer that takes a Child SA for each pair of addresses alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikeactors.protocol.events import InitiationRequested, RekeyRequested, Trigger
from ikeactors.protocol.ikev2.child_negotiation import Offer
from ikeactors.protocol.ikev2.pairs import MAX_PAIRS, is_met, less
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.wire.selectors import TrafficSelector
from tests.pair import Pair, child, connection, opposite, selectors


def east() -> ConnectionSettings:
    """Takes one pair a Child SA."""
    settings = opposite(connection())
    (one,) = settings.children
    return replace(settings, children=(replace(one, single_pair=True),))


def packet(source: str, destination: str, port: int = 1234) -> Trigger:
    ends = [
        replace(
            TrafficSelector.of_network(ip_network(address)), protocol=17, start_port=at, end_port=at
        )
        for address, at in ((source, port), (destination, 53))
    ]
    return Trigger(ends[0], ends[1])


def pairs_of(pair: Pair) -> list[str]:
    return [
        f"{one.agreement.local_ts[0]} === {one.agreement.remote_ts[0]}"
        for one in pair.west.association.children
    ]


def test_the_initiator_asks_again_for_one_pair_of_addresses() -> None:
    """(RFC 7296 section 2.9)"""
    pair = Pair(connection(), east()).establish()
    assert "N(SINGLE_PAIR_REQUIRED)" in pair.trace[3]
    assert pair.west.answers[0].succeeded
    assert pairs_of(pair) == ["10.1.0.1/32 === 10.2.0.1/32"]
    (told,) = pair.west.said("single-pair-required")
    assert "takes a Child SA for each pair of addresses" in told.text
    pair.assert_mirrored()


def test_each_pair_of_addresses_that_has_a_packet_has_a_child_sa() -> None:
    pair = Pair(connection(), east()).establish()
    wanted = packet("10.1.0.7/32", "10.2.0.9/32")
    for _ in range(2):
        pair.give(pair.west, InitiationRequested(("net",), trigger=wanted))
        pair.settle()
    assert len(pairs_of(pair)) == 2
    assert "10.1.0.7" in pairs_of(pair)[1]
    assert "10.2.0.9" in pairs_of(pair)[1]
    pair.assert_mirrored()


def test_a_child_sa_of_one_pair_is_rekeyed_for_what_it_is_in_use_for() -> None:
    pair = Pair(connection(), east()).establish()
    before = pairs_of(pair)
    pair.give(pair.west, RekeyRequested("net", request_id=3))
    pair.settle()
    assert pair.west.answers[-1].succeeded
    assert pairs_of(pair)[-1:] == before


@pytest.mark.parametrize("hosts", [True, False])
def test_there_is_nothing_less_than_one_pair(hosts: bool) -> None:
    pair = Pair().establish()
    association = pair.west.association
    settings = child(local_ts=selectors("10.1.0.1/32"), remote_ts=selectors("10.2.0.1/32"))
    settings = settings if hosts else association.connection.children[0]
    offer = Offer.make(association, settings, in_auth=False)
    assert (less(association, offer, None) is None) is hosts


def test_a_child_sa_that_is_wider_than_in_a_peer_that_wants_pairs_is_not_made_one() -> None:
    pair = Pair().establish()
    (ours,) = pair.west.association.children
    offer = Offer.make(pair.west.association, ours.settings, in_auth=False)
    assert less(pair.west.association, offer, ours) is None


def test_there_is_an_end_of_pairs() -> None:
    pair = Pair(connection(), east()).establish()
    (ours,) = pair.west.association.children
    wanted = packet("10.1.0.7/32", "10.2.0.9/32")
    assert not is_met([ours], wanted)
    assert is_met([ours] * MAX_PAIRS, wanted)
    assert is_met([ours], packet("10.1.0.1/32", "10.2.0.1/32"))
    assert is_met([ours], None)
    assert not is_met([], wanted)
