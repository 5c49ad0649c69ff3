"""A packet that needs a Child SA: what it is stands first in TSi and TSr (RFC 7296 section 2.9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.actions import SetTraps
from ikeactors.protocol.choices import Childless
from ikeactors.protocol.events import DeletionRequested, InitiationRequested, Trigger
from ikeactors.protocol.ikev2.child_negotiation import Offer
from ikeactors.protocol.settings import DownAction
from ikeactors.wire.message import find
from ikeactors.wire.payload import TrafficSelectorsInitiator, TrafficSelectorsResponder
from tests.pair import Pair, child, connection, opposite, selectors
from tests.protocol.forging import opened

(HERE,) = (one.selector for one in selectors("10.1.0.1/32"))
(THERE,) = (one.selector for one in selectors("10.2.0.1/32"))
TRIGGER = Trigger(replace(HERE, protocol=1), replace(THERE, protocol=1))
NETWORKS = tuple(one.selector for one in selectors("10.1.0.0/16", "10.2.0.0/16"))


def triggered(pair: Pair, trigger: Trigger = TRIGGER) -> list[tuple[object, object]]:
    """West has a packet to send; TSi and TSr of all it asks for."""
    asked = []
    pair.give(pair.west, InitiationRequested(("net",), trigger=trigger))
    while pair.flights:
        flight = pair.flights[0]
        if flight.receiver is pair.east and len(pair.trace) > 1:
            payloads = opened(pair.west, flight.datagram.octets)
            tsi = find(payloads, TrafficSelectorsInitiator)
            tsr = find(payloads, TrafficSelectorsResponder)
            if tsi and tsr:
                asked.append((tsi.selectors, tsr.selectors))
        pair.deliver(flight)
    return asked


@pytest.mark.parametrize("word", [Childless.ALLOW, Childless.PREFER])
def test_the_packet_stands_before_what_is_configured(word: Childless) -> None:
    """In IKE_AUTH as in CREATE_CHILD_SA."""
    pair = Pair(connection(childless=word))
    asked = triggered(pair)
    assert asked == [((TRIGGER.source, NETWORKS[0]), (TRIGGER.destination, NETWORKS[1]))]
    pair.assert_mirrored()
    for end in pair.ends():
        assert len(end.policies) == 3
    (made,) = pair.west.association.children
    assert (made.agreement.local_ts, made.agreement.remote_ts) == (NETWORKS[:1], NETWORKS[1:])


def test_an_ike_sa_that_stands_gets_the_child() -> None:
    web = child("web", local_ts=selectors("10.3.0.0/16"))
    pair = Pair(connection(children=(child(), web))).establish("web")
    asked = triggered(pair)
    assert asked == [((TRIGGER.source, NETWORKS[0]), (TRIGGER.destination, NETWORKS[1]))]
    assert triggered(pair) == []


def test_a_responder_for_single_pairs_learns_which_one_is_needed() -> None:
    made = connection()
    east = replace(
        opposite(made), children=(replace(opposite(made).children[0], single_pair=True),)
    )
    pair = Pair(made, east)
    triggered(pair)
    (one,) = pair.west.association.children
    assert (one.agreement.local_ts, one.agreement.remote_ts) == (
        (TRIGGER.source,),
        (TRIGGER.destination,),
    )
    pair.assert_mirrored()


def test_a_responder_that_takes_all_of_it_takes_what_is_configured() -> None:
    """What is within another selector needs no policy of its own."""
    association = Pair().establish().west.association
    offer = Offer.make(
        association, association.connection.children[0], in_auth=False, trigger=TRIGGER
    )
    answer = [
        replace(one, proposals=(replace(one.proposals[0], spi=b"\1\2\3\4"),))
        if hasattr(one, "proposals")
        else one
        for one in offer.payloads()
    ]
    agreement = offer.accepted(association, tuple(answer))
    assert (agreement.local_ts, agreement.remote_ts) == (NETWORKS[:1], NETWORKS[1:])


def test_a_packet_that_is_not_to_be_protected_goes_without_saying() -> None:
    (elsewhere,) = (one.selector for one in selectors("10.9.0.1/32"))
    for trigger in (replace(TRIGGER, source=elsewhere), replace(TRIGGER, destination=elsewhere)):
        assert triggered(Pair(), trigger) == [(NETWORKS[:1], NETWORKS[1:])]


def test_a_packet_that_is_all_of_the_configuration_is_said_once() -> None:
    made = child(local_ts=selectors("10.1.0.1/32"), remote_ts=selectors("10.2.0.1/32"))
    pair = Pair(connection(children=(made,)))
    assert triggered(pair, Trigger(HERE, THERE)) == [((HERE,), (THERE,))]


def test_a_storm_of_packets_is_one_negotiation() -> None:
    pair = Pair()
    for _ in range(5):
        pair.give(pair.west, InitiationRequested(("net",), trigger=TRIGGER))
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.give(pair.west, InitiationRequested(("net",), trigger=TRIGGER))
    pair.settle()
    pair.give(pair.west, InitiationRequested(("net",), trigger=TRIGGER))
    pair.settle()
    assert len(pair.trace) == 4
    pair.assert_one_pair()


def test_close_action_trap_leaves_a_deleted_child_sa_to_the_next_packet() -> None:
    trapping = connection(children=(child(close_action=DownAction.TRAP),))
    pair = Pair(trapping, opposite(connection())).establish()
    pair.give(pair.east, DeletionRequested(child="net"))
    pair.settle()
    assert [one for one in pair.west.actions if isinstance(one, SetTraps)] == [SetTraps(("net",))]
    assert not any(one.is_up for one in pair.west.association.children)
