"""What operators ask: each request is answered once, whatever becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.events import DeletionRequested, InitiationRequested, RekeyRequested
from ikeactors.protocol.settings import Unique
from tests.pair import Pair, child, connection, selectors

TWO = connection(children=(child(), child("more", local_ts=selectors("10.3.0.0/16"))))


def test_only_the_children_that_are_named_come_up() -> None:
    pair = Pair(TWO).establish("more")
    assert [one.name for one in pair.west.association.children] == ["more"]
    pair.give(pair.west, InitiationRequested((), 2))
    pair.settle()
    assert sorted(one.name for one in pair.west.association.children) == ["more", "net"]
    assert [(one.request_id, one.succeeded) for one in pair.west.answers] == [(1, True), (2, True)]


def test_a_child_that_is_not_configured_is_refused() -> None:
    pair = Pair()
    pair.initiate("nothing")
    assert pair.west.association.closed
    assert pair.west.association.failure == "connection gw does not have nothing"
    assert not pair.west.answers[0].succeeded


def test_who_asks_while_it_is_being_authenticated_is_answered() -> None:
    pair = Pair()
    pair.initiate()
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.give(pair.west, InitiationRequested(("net",), 2))
    pair.settle()
    assert sorted(one.request_id for one in pair.west.answers) == [1, 2]


def test_who_asks_for_more_while_it_is_being_authenticated_gets_it() -> None:
    pair = Pair(TWO)
    pair.initiate("net")
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.give(pair.west, InitiationRequested((), 2))
    pair.settle()
    assert sorted(one.name for one in pair.west.association.children) == ["more", "net"]
    assert [(one.request_id, one.succeeded) for one in pair.west.answers] == [(1, True), (2, True)]


@pytest.mark.parametrize("event", [RekeyRequested(request_id=2), RekeyRequested("net", None, 2)])
def test_what_is_not_established_cannot_be_rekeyed(event: RekeyRequested) -> None:
    pair = Pair()
    pair.initiate()
    pair.give(pair.west, event)
    assert pair.west.answers[-1].text == "the IKE SA is not established"


def test_everything_is_answered_once_when_the_peer_is_gone() -> None:
    pair = Pair(TWO).establish("net")
    pair.give(pair.west, RekeyRequested(child="net", request_id=2))
    pair.give(pair.west, InitiationRequested(("more",), 3))
    pair.give(pair.west, RekeyRequested(request_id=4))
    pair.give(pair.west, DeletionRequested(child="net", request_id=5))
    pair.drop()
    pair.pass_time(500, deliver=False)
    assert pair.west.association.closed
    assert sorted(one.request_id for one in pair.west.answers) == [1, 2, 3, 4, 5]
    failed = {one.request_id for one in pair.west.answers if not one.succeeded}
    assert {2, 3, 4} <= failed


def test_a_second_deletion_is_answered() -> None:
    pair = Pair().establish()
    pair.give(pair.west, DeletionRequested(request_id=2))
    pair.give(pair.west, DeletionRequested(request_id=3))
    pair.settle()
    assert sorted(one.request_id for one in pair.west.answers) == [1, 2, 3]
    assert pair.west.association.closed


def test_an_initiator_nobody_waits_for_yields_to_an_ike_sa_that_stands() -> None:
    pair = Pair()
    west = pair.west.association
    pair.initiate(request_id=None)
    west.surroundings = replace(west.surroundings, stands=lambda *_: True, is_up=lambda *_: True)
    pair.settle()
    assert west.closed
    assert not west.failure
    assert pair.trace[-1].startswith("<-- HDR, SAr1")


def test_another_connection_with_the_same_peer_is_no_reason_to_yield() -> None:
    pair = Pair()
    west = pair.west.association
    pair.initiate(request_id=None)
    west.surroundings = replace(west.surroundings, stands=lambda *_: True)
    pair.settle()
    assert west.established


def test_an_operator_is_answered_by_the_ike_sa_that_stands() -> None:
    """The initiator that yields leaves her request to whoever takes its place."""
    pair = Pair()
    west = pair.west.association
    west.surroundings = replace(west.surroundings, stands=lambda *_: True, is_up=lambda *_: True)
    pair.initiate()
    pair.settle()
    assert west.closed
    assert not pair.west.answers


def test_where_several_peers_have_one_identity_only_the_same_address_is_yielded_to() -> None:
    asked: list[object] = []

    def is_up(_: str, place: object) -> bool:
        asked.append(place)
        return False

    pair = Pair(connection(unique=Unique.NEVER))
    west = pair.west.association
    west.surroundings = replace(west.surroundings, stands=lambda *_: True, is_up=is_up)
    pair.establish()
    assert west.established
    assert set(asked) == {pair.east.association.local.address}
