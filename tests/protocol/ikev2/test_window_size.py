"""SET_WINDOW_SIZE: several requests on their way, and what the network does to their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.events import DeletionRequested, InitiationRequested, RekeyRequested
from ikeactors.protocol.ikev2.reassembly import REASSEMBLY_TIMEOUT
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.timers import Timer
from ikeactors.wire.payload import Notify
from tests.pair import End, Pair, child, connection, opposite, selectors
from tests.protocol.forging import fragment, request, sealed, sent_by, standing

INFORMATIONAL = ExchangeType.INFORMATIONAL
NAMES = ("net", "lan", "dmz")


def several(**changes: object) -> ConnectionSettings:
    """Three children, each of networks of its own."""
    children = tuple(
        child(
            name,
            local_ts=selectors(f"10.1.{place}.0/24"),
            remote_ts=selectors(f"10.2.{place}.0/24"),
        )
        for place, name in enumerate(NAMES)
    )
    return connection(children=children, **changes)


def established(west: int = 4, east: int = 4, **changes: object) -> Pair:
    """West has asked for its first child alone; each end has the window size it announces."""
    ours = several(window_size=west, **changes)
    theirs = replace(opposite(ours), window_size=east)
    return Pair(ours, theirs).establish("net")


def outstanding(end: End) -> list[int]:
    return [one.message_id for one in end.association.ike_sa.requests.outstanding]


def names(end: End) -> list[str]:
    return sorted(one.name for one in end.association.children)


def test_both_ends_announce_their_sizes_in_ike_auth() -> None:
    """(RFC 7296 section 2.3)"""
    pair = established(3, 5)
    assert "N(SET_WINDOW_SIZE)" in pair.trace[2]
    assert "N(SET_WINDOW_SIZE)" in pair.trace[3]
    assert pair.west.association.ike_sa.requests.size == 5
    assert pair.east.association.ike_sa.requests.size == 3


def test_nothing_is_announced_and_one_request_is_out_at_a_time_by_default() -> None:
    pair = established(1, 1)
    assert not any("SET_WINDOW_SIZE" in line for line in pair.trace)
    pair.give(pair.west, InitiationRequested(("lan", "dmz"), 2))
    assert len(outstanding(pair.west)) == 1
    pair.settle()
    assert names(pair.west) == sorted(NAMES)


def test_no_more_requests_are_out_than_the_peer_has_room_for() -> None:
    pair = established(1, 2)
    pair.give(pair.west, RekeyRequested("net", request_id=2))
    pair.give(pair.west, InitiationRequested(("lan", "dmz"), 3))
    assert outstanding(pair.west) == [2, 3]
    pair.settle()
    assert names(pair.west) == names(pair.east) == ["dmz", "lan", "net", "net"]
    pair.pass_time(10)
    pair.assert_mirrored()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_requests_and_responses_may_come_in_any_order(order: tuple[int, ...]) -> None:
    """(RFC 7296 section 2.3)"""
    pair = established()
    pair.give(pair.west, InitiationRequested(("lan", "dmz"), 2))
    requests = list(pair.flights)
    assert len(requests) == 2
    for place in order:
        pair.deliver(requests[place])
    responses = list(pair.flights)
    assert len(responses) == 2
    for place in order:
        pair.deliver(responses[place])
    assert names(pair.west) == names(pair.east) == sorted(NAMES)
    assert pair.west.answers[-1].succeeded
    assert outstanding(pair.west) == []
    pair.assert_mirrored()


def test_each_request_is_retransmitted_on_its_own() -> None:
    pair = established()
    pair.give(pair.west, InitiationRequested(("lan",), 2))
    pair.drop()
    pair.pass_time(1.0, deliver=False)
    pair.give(pair.west, InitiationRequested(("dmz",), 3))
    pair.drop()
    pair.west.actions.clear()
    start = pair.now
    for after in (3.0, 4.0):
        pair.to_next_timer()
        pair.drop()
        assert pair.now - start == pytest.approx(after)
    ids = [int.from_bytes(one.octets[20:24], "big") for one in sends(pair.west)]
    assert ids == [2, 3]
    pair.pass_time(30)
    assert names(pair.east) == sorted(NAMES)


def sends(end: End) -> list[SendDatagram]:
    return [one for one in end.actions if isinstance(one, SendDatagram)]


def test_a_lost_answer_to_the_first_of_several_is_repeated() -> None:
    pair = established()
    pair.give(pair.west, InitiationRequested(("lan", "dmz"), 2))
    first, second = pair.flights
    pair.deliver(first)
    pair.deliver(second)
    lost, kept = pair.flights
    pair.drop()
    pair.give(pair.west, kept.datagram)
    assert outstanding(pair.west) == [2]
    pair.give(pair.east, first.datagram)
    assert pair.flights[-1].datagram.octets == lost.datagram.octets
    pair.settle()
    pair.assert_mirrored()


def test_exchanges_about_one_child_never_overlap() -> None:
    pair = established()
    pair.give(pair.west, RekeyRequested("net", request_id=2))
    pair.give(pair.west, DeletionRequested("net", request_id=3))
    assert len(outstanding(pair.west)) == 1
    pair.settle()
    pair.pass_time(10)
    assert names(pair.west) == names(pair.east) == []


@pytest.mark.parametrize("alone", [RekeyRequested(request_id=9), DeletionRequested(request_id=9)])
def test_what_is_about_the_ike_sa_goes_alone(alone: RekeyRequested | DeletionRequested) -> None:
    pair = established()
    pair.give(pair.west, RekeyRequested("net", request_id=2))
    pair.give(pair.west, alone)
    assert len(outstanding(pair.west)) == 1
    pair.settle()
    assert pair.west.answers[-1].succeeded


@pytest.mark.parametrize("end", ["west", "east"])
def test_the_successor_of_an_ike_sa_has_windows_of_one_until_they_are_announced(end: str) -> None:
    """(RFC 7296 section 2.18)"""
    pair = established(3, 5)
    pair.give(getattr(pair, end), RekeyRequested())
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    successor = getattr(pair, end).association.ike_sa
    assert successor.requests.size == 1
    pair.settle()
    assert pair.west.association.ike_sa.requests.size == 5
    assert pair.east.association.ike_sa.requests.size == 3


def test_a_peer_that_announces_late_is_heard() -> None:
    pair = established(1, 1)
    notify = Notify(NotifyType.SET_WINDOW_SIZE, (7).to_bytes(4, "big"))
    request(pair, pair.west, INFORMATIONAL, notify)
    assert pair.east.association.ike_sa.requests.size == 7


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\0\0\0\7\0", bytes(4)])
def test_a_size_that_is_none_is_passed_over(data: bytes) -> None:
    pair = established(1, 1)
    request(pair, pair.west, INFORMATIONAL, Notify(NotifyType.SET_WINDOW_SIZE, data))
    assert pair.east.association.ike_sa.requests.size == 1


def test_early_requests_are_kept_once_and_served_in_their_order() -> None:
    pair = established()
    next_id = pair.west.association.ike_sa.requests.next_id
    later = sealed(pair.west, INFORMATIONAL, (), message_id=next_id + 1)
    for _ in range(3):
        pair.give(pair.east, sent_by(pair, pair.west, later))
    assert pair.flights == []
    request(pair, pair.west, INFORMATIONAL)
    ids = [int.from_bytes(one.datagram.octets[20:24], "big") for one in pair.flights]
    assert ids == [next_id, next_id + 1]
    assert pair.east.association.ike_sa.responses.held == ()


def test_a_forged_early_request_changes_nothing() -> None:
    pair = established()
    next_id = pair.west.association.ike_sa.requests.next_id
    octets = bytearray(sealed(pair.west, INFORMATIONAL, (), message_id=next_id + 1))
    octets[-1] ^= 1
    before = standing(pair.east)
    pair.give(pair.east, sent_by(pair, pair.west, bytes(octets)))
    assert standing(pair.east) == before
    assert pair.east.association.ike_sa.responses.held == ()


def test_before_the_ike_sa_stands_no_request_is_early() -> None:
    """(RFC 7296 section 2.3)"""
    pair = Pair(several(window_size=4))
    pair.initiate()
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    early = sealed(pair.west, INFORMATIONAL, (), message_id=2)
    pair.give(pair.east, sent_by(pair, pair.west, early))
    assert pair.east.association.half_open
    pair.deliver(pair.flights[0])
    assert pair.east.association.ike_sa.responses.held == ()


def test_a_request_in_fragments_may_be_early_too() -> None:
    pair = established()
    ike_sa = pair.west.association.ike_sa
    next_id = ike_sa.requests.next_id
    parts = [fragment(pair.west, number, 2, b"", message_id=next_id + 1) for number in (1, 2)]
    parts[0] = fragment(pair.west, 1, 2, b"\0\0\0\x08\0\0\x40\0", message_id=next_id + 1)
    pair.give(pair.east, sent_by(pair, pair.west, parts[0]))
    timers = pair.east.association.timers
    number = pair.east.association.ike_sa.number
    assert timers.due_at(Timer.REASSEMBLY, number) == pair.now + REASSEMBLY_TIMEOUT
    request(pair, pair.west, INFORMATIONAL)
    assert len(pair.flights) == 1
    pair.give(pair.east, sent_by(pair, pair.west, parts[1]))
    assert len(pair.flights) == 2
    assert pair.east.association.ike_sa.responses.expected_id == next_id + 2


def test_an_ike_sa_that_is_deleted_forgets_what_was_early() -> None:
    pair = established()
    next_id = pair.west.association.ike_sa.requests.next_id
    later = sealed(pair.west, INFORMATIONAL, (), message_id=next_id + 1)
    pair.give(pair.east, sent_by(pair, pair.west, later))
    ike_sa = pair.east.association.ike_sa
    pair.give(pair.west, DeletionRequested(request_id=2))
    pair.settle()
    assert pair.east.association.closed
    assert ike_sa.responses.held == ()


def test_requests_that_are_early_wait_for_a_slow_data_plane() -> None:
    pair = established()
    pair.slow = []
    pair.give(pair.west, InitiationRequested(("lan", "dmz"), 2))
    pair.settle()
    assert pair.east.association.ike_sa.responses.pending
    assert len(pair.east.association.ike_sa.responses.held) == 1
    pair.hurry()
    pair.settle()
    assert names(pair.east) == sorted(NAMES)
    pair.assert_mirrored()
