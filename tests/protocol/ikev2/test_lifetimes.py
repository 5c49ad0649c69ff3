"""What time brings: rekeying, expiry, and timers that are gone with what they were for."""

from __future__ import annotations

import pytest

from ikeactors.protocol.ikev2.child_sa import lifetime_of
from ikeactors.protocol.timers import Timer
from tests.pair import Pair, child, connection, opposite


def test_an_ike_sa_is_rekeyed_within_its_random_part() -> None:
    pair = Pair(connection(rekey_time=1000.0, rand_time=100.0)).establish()
    for end in pair.ends():
        due_at = end.association.timers.due_at(Timer.IKE_REKEY)
        assert 900 <= due_at - pair.now <= 1000
        assert end.association.timers.due_at(Timer.IKE_EXPIRE) == pair.now + 1000 + 1440
    pair.trace.clear()
    pair.pass_time(1001)
    assert sum("SK {SA, Ni, KEi}" in one for one in pair.trace) >= 1
    pair.assert_one_pair()


def test_an_ike_sa_that_cannot_be_rekeyed_is_deleted() -> None:
    west = connection(rekey_time=1000.0, over_time=100.0, rand_time=0.0)
    pair = Pair(west).establish()
    pair.west.association.timers.stop(Timer.IKE_REKEY)
    pair.east.association.timers.stop(Timer.IKE_REKEY)
    pair.pass_time(1101)
    for end in pair.ends():
        assert end.association.closed
        assert not end.sas


def test_no_lifetimes_no_timers() -> None:
    forever = child(rekey_time=0.0, life_time=0.0)
    pair = Pair(connection(rekey_time=0.0, children=(forever,))).establish()
    assert pair.west.association.deadline == float("inf")
    assert pair.west.association.snapshot(pair.now).rekey_in is None


def test_a_child_sa_that_cannot_be_rekeyed_is_made_anew() -> None:
    short = connection(children=(child(rekey_time=0.0, life_time=100.0),))
    pair = Pair(short, opposite(connection())).establish()
    before = pair.west.spis()
    pair.pass_time(110)
    pair.assert_one_pair()
    assert pair.west.spis().isdisjoint(before)


def test_a_short_lifetime_is_no_busy_loop() -> None:
    hasty = child(rekey_time=1.0, rand_time=10.0, life_time=5.0)
    pair = Pair(connection(children=(hasty,))).establish()
    pair.trace.clear()
    pair.pass_time(60)
    assert len(pair.trace) < 60 * 20
    assert pair.west.association.established


@pytest.mark.parametrize(
    ("limit", "rand", "spread", "soft"),
    [(0, 10, 0.5, 0), (1000, 100, 0.0, 1000), (1000, 100, 0.5, 950), (10, 100, 0.99, 1)],
)
def test_soft_limits_are_spread(limit: int, rand: int, spread: float, soft: int) -> None:
    settings = child(
        rekey_bytes=limit, rand_bytes=rand, rekey_packets=limit, rand_packets=rand, life_bytes=7
    )
    lifetime = lifetime_of(settings, spread)
    assert (lifetime.soft_bytes, lifetime.soft_packets) == (soft, soft)
    assert lifetime.hard_bytes == 7
    assert lifetime.hard_seconds == 3960


def test_timers_of_what_is_gone_are_gone() -> None:
    pair = Pair().establish()
    pair.pass_time(20000)
    for end in pair.ends():
        association = end.association
        numbers = {one.number for one in association.children} | {0}
        numbers |= {association.ike_sa.number}
        assert {number for _, number in association.timers._due_at} <= numbers
