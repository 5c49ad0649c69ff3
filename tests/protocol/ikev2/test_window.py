"""Message IDs and the windows of both directions, on bare objects and between two ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType, PayloadType, ProtocolId
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.ikev2.informational import LivenessInitiator
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.reassembly import FragmentSet
from ikeactors.protocol.ikev2.window import (
    MAX_MESSAGE_ID,
    MAX_OUTSTANDING,
    MIN_REPEAT_INTERVAL,
    Arrival,
    Early,
    Outstanding,
    RequestWindow,
    ResponseWindow,
    Served,
)
from ikeactors.wire.payload import Delete
from tests.pair import EAST, WEST, Pair
from tests.protocol.forging import request, sealed, sent_by, standing

INFORMATIONAL = ExchangeType.INFORMATIONAL
SERVED = Served(INFORMATIONAL, EAST, WEST)
OPENED = Opened(PayloadType.NONE, b"")
PARTIAL = FragmentSet(INFORMATIONAL, 2, 0.0)


def test_requests_are_numbered_one_after_the_other() -> None:
    window = RequestWindow(1)
    first = Outstanding(1, (), LivenessInitiator())
    window.sent(first)
    with pytest.raises(AssertionError):
        window.sent(Outstanding(2, (), LivenessInitiator()))
    window.answered(first)
    assert window.next_id == 2
    assert not window.is_exhausted
    assert RequestWindow().next_id == ResponseWindow().expected_id == 0


def test_the_last_message_id_is_used_and_none_after_it() -> None:
    """(RFC 7296 section 2.2)"""
    assert MAX_MESSAGE_ID == 2**32 - 1
    assert not RequestWindow(MAX_MESSAGE_ID).is_exhausted
    assert RequestWindow(MAX_MESSAGE_ID + 1).is_exhausted


def test_a_request_is_fresh_once_and_then_repeated() -> None:
    """(RFC 7296 section 2.1)"""
    window = ResponseWindow(3)
    assert window.classify(3) is Arrival.FRESH
    window.begin(3, INFORMATIONAL)
    assert window.classify(3) is Arrival.OUTSIDE
    window.complete((b"answer",))
    assert window.classify(3) is Arrival.REPEATED
    assert window.classify(4) is Arrival.FRESH
    for outside in (0, 2, 5, MAX_MESSAGE_ID):
        assert window.classify(outside) is Arrival.OUTSIDE


def test_a_wider_window_has_room_until_the_oldest_request_is_too_far_back() -> None:
    """(RFC 7296 section 2.3)"""
    window = RequestWindow()
    window.widen(3)
    sent = [Outstanding(number, (), LivenessInitiator()) for number in range(4)]
    for one in sent[:3]:
        assert window.has_room
        window.sent(one)
    assert not window.has_room
    window.answered(sent[1])
    assert not window.has_room
    window.answered(sent[0])
    assert window.has_room
    window.sent(sent[3])
    assert [one.message_id for one in window.outstanding] == [2, 3]


def test_a_window_never_shrinks_and_has_its_limit() -> None:
    window = RequestWindow()
    window.widen(3)
    window.widen(0)
    assert window.size == 3
    window.widen(1 << 31)
    assert window.size == MAX_OUTSTANDING == 16


def test_as_many_answers_are_kept_as_were_announced() -> None:
    """(RFC 7296 section 2.3)"""
    window = ResponseWindow()
    for number in range(6):
        window.begin(number, SERVED)
        window.complete((bytes((number,)),), 3)
    assert [window.classify(number, 3) for number in range(3)] == [Arrival.OUTSIDE] * 3
    for number in (3, 4, 5):
        assert window.classify(number, 3) is Arrival.REPEATED
        assert window.repeat(number, 0.0) == (bytes((number,)),)
        assert window.repeat(number, 0.049) == ()
        assert window.repeat(number, MIN_REPEAT_INTERVAL) == (bytes((number,)),)


@pytest.mark.parametrize(("size", "requests"), [(1, 0), (1, 1), (1, 3), (3, 1), (3, 2), (3, 6)])
def test_answers_are_put_back_as_they_were(size: int, requests: int) -> None:
    """What a restart keeps repeats what was said before it."""
    before, after = ResponseWindow(), ResponseWindow(requests)
    for number in range(requests):
        before.begin(number, SERVED)
        before.complete((bytes((number,)),), size)
    numbers = [message_id for message_id, _ in before.answers]
    assert numbers == list(range(requests))[-size:]
    if before.answers:
        after.put_back(before.answers)
    assert after.answers == before.answers
    assert (after._wide is None) is (len(before.answers) < 2)
    for number in range(requests):
        assert after.classify(number, size) is before.classify(number, size)
        if after.classify(number, size) is Arrival.REPEATED:
            assert after.repeat(number, 0.0) == (bytes((number,)),)
            assert after.repeat(number, 0.0) == ()


def test_a_window_of_two_keeps_two_answers() -> None:
    window = ResponseWindow()
    for number in range(3):
        window.begin(number, SERVED)
        window.complete((bytes((number,)),), 2)
    kinds = [window.classify(number, 2) for number in range(3)]
    assert kinds == [Arrival.OUTSIDE, Arrival.REPEATED, Arrival.REPEATED]


@pytest.mark.parametrize(("size", "requests"), [(1, 5), (3, 1)])
def test_nothing_is_made_for_answers_before_the_last_where_there_are_none(
    size: int, requests: int
) -> None:
    window = ResponseWindow()
    for number in range(requests):
        window.begin(number, SERVED)
        window.complete((b"answer",), size)
    assert window._wide is None


def test_a_window_is_one_wide_where_nothing_else_is_said() -> None:
    window = ResponseWindow()
    window.partial = PARTIAL
    for number in range(2):
        window.begin(number, SERVED)
        assert window.partial is None
        window.complete((b"answer",))
    assert window._wide is None


def test_an_early_request_is_taken_in_its_turn_and_a_part_of_it_goes_on() -> None:
    window = ResponseWindow()
    whole, part = Early(SERVED, opened=OPENED), Early(SERVED, partial=PARTIAL)
    window.hold(1, whole)
    window.hold(2, part)
    assert window.held == (whole, part)
    assert (window.early(1), window.early(3)) == (whole, None)
    assert window.take_next() is None
    window.begin(0, SERVED)
    window.complete((b"answer",), 3)
    assert window.take_next() is whole
    window.begin(1, SERVED)
    window.complete((b"answer",), 3)
    assert window.partial is None
    assert window.take_next() is None
    assert window.partial is PARTIAL
    assert window.held == ()


def test_nothing_is_taken_while_a_request_is_served() -> None:
    window, whole = ResponseWindow(), Early(SERVED, opened=OPENED)
    window.hold(0, whole)
    window.begin(0, SERVED)
    assert window.take_next() is None
    assert window.held == (whole,)


def test_what_is_held_may_be_forgotten() -> None:
    window = ResponseWindow()
    window.forget_held()
    assert (window.early(1), window.held, window.take_next()) == (None, (), None)
    window.hold(1, Early(SERVED, opened=OPENED))
    window.partial = PARTIAL
    window.forget_held()
    assert (window.partial, window.held) == (None, ())


def test_early_requests_are_those_within_the_window() -> None:
    window = ResponseWindow(5)
    kinds = [window.classify(number, 3) for number in (4, 5, 6, 7, 8)]
    early = Arrival.EARLY
    assert kinds == [Arrival.OUTSIDE, Arrival.FRESH, early, early, Arrival.OUTSIDE]
    window.begin(5, SERVED)
    assert window.classify(5, 3) is Arrival.OUTSIDE
    assert window.classify(7, 3) is Arrival.EARLY


def test_there_is_nothing_to_repeat_before_the_first_answer() -> None:
    assert ResponseWindow(1).classify(0) is Arrival.OUTSIDE


def test_repeats_are_limited_in_their_rate() -> None:
    """G3"""
    window = ResponseWindow()
    window.begin(0, INFORMATIONAL)
    window.complete((b"one", b"two"))
    assert window.repeat(0, 0.0) == (b"one", b"two")
    assert window.repeat(0, 0.049) == ()
    assert window.repeat(0, 0.05) == (b"one", b"two")


def test_a_new_answer_may_be_repeated_at_once() -> None:
    window = ResponseWindow()
    for message_id, answer in enumerate(((b"one",), (b"two",))):
        window.begin(message_id, INFORMATIONAL)
        window.complete(answer)
        assert window.repeat(message_id, 10.0) == answer


def test_a_repeated_request_gets_the_same_octets_again() -> None:
    """G1"""
    pair = Pair().establish()
    octets = sealed(pair.west, INFORMATIONAL, ())
    pair.west.association.ike_sa.requests.next_id += 1
    pair.give(pair.east, sent_by(pair, pair.west, octets))
    before = standing(pair.east)
    pair.give(pair.east, sent_by(pair, pair.west, octets))
    first, second = (flight.datagram.octets for flight in pair.flights)
    assert first == second
    assert standing(pair.east) == before


def test_a_repeated_request_with_another_body_is_not_read() -> None:
    """G2"""
    pair = Pair().establish()
    request(pair, pair.west, INFORMATIONAL)
    answer = pair.flights.pop().datagram.octets
    before = standing(pair.east)
    last = pair.west.association.ike_sa.requests.next_id - 1
    other = sealed(pair.west, INFORMATIONAL, (Delete(ProtocolId.IKE),), message_id=last)
    pair.give(pair.east, sent_by(pair, pair.west, other))
    assert pair.flights.pop().datagram.octets == answer
    assert standing(pair.east) == before


def test_a_flood_of_repeats_is_answered_now_and_then() -> None:
    """G3"""
    pair = Pair().establish()
    octets = sealed(pair.west, INFORMATIONAL, ())
    for _ in range(100):
        pair.give(pair.east, sent_by(pair, pair.west, octets))
    assert len(pair.flights) == 2


@pytest.mark.parametrize("distance", [-2, 1, 2, 1000, MAX_MESSAGE_ID - 2])
def test_requests_outside_of_the_window_change_nothing(distance: int) -> None:
    """G1"""
    pair = Pair().establish()
    request(pair, pair.west, INFORMATIONAL)
    request(pair, pair.west, INFORMATIONAL)
    pair.drop()
    before = standing(pair.east)
    message_id = pair.west.association.ike_sa.requests.next_id + distance
    octets = sealed(pair.west, INFORMATIONAL, (), message_id=min(message_id, MAX_MESSAGE_ID))
    pair.give(pair.east, sent_by(pair, pair.west, octets))
    assert pair.flights == []
    assert standing(pair.east) == before


def test_a_response_to_nothing_asked_is_dropped() -> None:
    """A9"""
    pair = Pair().establish()
    before = standing(pair.east)
    for message_id in (0, 1, 7):
        octets = sealed(pair.west, INFORMATIONAL, (), message_id=message_id, is_response=True)
        pair.give(pair.east, sent_by(pair, pair.west, octets))
    assert pair.flights == []
    assert standing(pair.east) == before


def test_a_response_of_another_exchange_is_dropped() -> None:
    pair = Pair().establish()
    pair.give(pair.east, RekeyRequested(child="net"))
    flight = pair.flights.pop()
    wrong = sealed(pair.west, INFORMATIONAL, (), message_id=0, is_response=True)
    pair.give(pair.east, sent_by(pair, pair.west, wrong))
    assert pair.east.association.ike_sa.requests.outstanding
    pair.flights.append(flight)
    pair.settle()
    pair.pass_time(6)
    pair.assert_mirrored()


def test_an_ike_sa_whose_message_ids_are_used_up_is_closed() -> None:
    """G4"""
    pair = Pair().establish()
    pair.west.association.ike_sa.requests.next_id = MAX_MESSAGE_ID + 1
    pair.give(pair.west, RekeyRequested(child="net", request_id=9))
    assert pair.west.association.closed
    assert "message IDs" in pair.west.association.failure
    assert pair.west.answers[-1].succeeded is False
    assert not pair.west.sas


def test_the_initiator_flag_must_fit_the_role() -> None:
    """A8"""
    pair = Pair().establish()
    before = standing(pair.east)
    octets = bytearray(sealed(pair.west, INFORMATIONAL, ()))
    octets[19] ^= 0x08
    pair.give(pair.east, sent_by(pair, pair.west, bytes(octets)))
    datagram = sent_by(pair, pair.west, sealed(pair.west, INFORMATIONAL, ()))
    assert standing(pair.east) == before
    major = bytearray(datagram.octets)
    major[17] = 0x30
    pair.give(pair.east, replace(datagram, octets=bytes(major)))
    assert standing(pair.east) == before
    assert pair.flights == []
