"""Fragments that are too many, stay incomplete, or belong to nobody any more: what they cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.ikev2.reassembly import (
    MAX_CONTENT,
    MAX_FRAGMENTS,
    REASSEMBLY_TIMEOUT,
)
from ikeactors.protocol.timers import Timer
from tests.pair import Pair
from tests.protocol.forging import fragment, initiated, standing
from tests.protocol.fragmenting import arrive, halves, is_answered, partial


@pytest.fixture
def pair() -> Pair:
    return Pair().establish()


@pytest.mark.parametrize("total", [MAX_FRAGMENTS + 1, 1000, 65535])
def test_a_set_of_very_many_fragments_is_not_begun(pair: Pair, total: int) -> None:
    """B2, B7"""
    arrive(pair, fragment(pair.west, 1, total, b"x"))
    assert partial(pair) is None


def test_a_set_larger_than_any_message_is_the_end(pair: Pair) -> None:
    """B6 (RFC 7383 section 5)"""
    arrive(pair, fragment(pair.west, 1, 3, bytes(MAX_CONTENT // 2)))
    arrive(pair, fragment(pair.west, 2, 3, bytes(MAX_CONTENT // 2)))
    assert pair.east.association.established
    arrive(pair, fragment(pair.west, 3, 3, b"x"))
    assert pair.east.association.closed
    assert "larger than any message" in pair.east.association.failure
    assert not pair.east.sas


def test_a_set_goes_with_its_ike_sa(pair: Pair) -> None:
    """B17"""
    one, two = halves()
    late = fragment(pair.west, 2, 2, two)
    arrive(pair, fragment(pair.west, 1, 2, one))
    ike_sa = pair.east.association.ike_sa
    pair.give(pair.east, DeletionRequested())
    pair.settle()
    assert pair.east.association.closed
    assert ike_sa.responses.partial is None
    arrive(pair, late)
    assert not pair.flights


def test_a_set_goes_with_a_former_ike_sa(pair: Pair) -> None:
    """B17"""
    one, two = halves()
    late = fragment(pair.west, 2, 2, two)
    arrive(pair, fragment(pair.west, 1, 2, one))
    former = pair.east.association.ike_sa
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    pair.pass_time(5)
    assert former.responses.partial is None
    arrive(pair, late)
    assert not pair.flights
    assert partial(pair) is None
    pair.assert_one_pair()


def test_a_set_that_stays_incomplete_is_freed(pair: Pair) -> None:
    """B18"""
    one, two = halves()
    before = standing(pair.east)
    arrive(pair, fragment(pair.west, 1, 2, one))
    pair.pass_time(REASSEMBLY_TIMEOUT - 1)
    assert partial(pair) is not None
    pair.pass_time(1)
    assert partial(pair) is None
    assert standing(pair.east) == before
    arrive(pair, fragment(pair.west, 2, 2, two))
    assert not is_answered(pair)
    arrive(pair, fragment(pair.west, 1, 2, one))
    assert is_answered(pair)
    assert pair.east.association.timers.due_at(Timer.REASSEMBLY, 1) == float("inf")


def test_sets_of_both_directions_are_freed_each_in_its_time(pair: Pair) -> None:
    """B18"""
    pair.give(pair.east, DeletionRequested(child="net"))
    pair.drop()
    (asked,) = pair.east.association.ike_sa.requests.outstanding
    arrive(pair, fragment(pair.west, 1, 2, b"x"))
    pair.pass_time(10, deliver=False)
    part = fragment(pair.west, 1, 2, b"x", message_id=asked.message_id, is_response=True)
    arrive(pair, part)
    pair.pass_time(REASSEMBLY_TIMEOUT - 10, deliver=False)
    assert partial(pair) is None
    assert asked.partial is not None
    pair.pass_time(10, deliver=False)
    assert asked.partial is None


def test_an_unproven_peer_is_bounded_too() -> None:
    """B2, B6: whoever did IKE_SA_INIT can send fragments that are proven to be its."""
    pair = initiated()
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.drop()
    exchange = ExchangeType.IKE_AUTH
    for number in (1, 2):
        chunk = bytes(MAX_CONTENT // 2)
        arrive(pair, fragment(pair.west, number, 9, chunk, exchange=exchange, message_id=1))
    assert pair.east.association.half_open
    arrive(pair, fragment(pair.west, 3, 9, b"x", exchange=exchange, message_id=1))
    assert pair.east.association.closed


def test_where_all_peers_have_too_many_fragments_none_is_kept(pair: Pair) -> None:
    surroundings = replace(pair.east.association.surroundings, holds=lambda holder, octets: False)
    pair.east.association.surroundings = surroundings
    arrive(pair, fragment(pair.west, 1, 2, b"x"))
    assert partial(pair) is None
    assert "too many fragments" in pair.east.said("message-dropped")[-1].text
