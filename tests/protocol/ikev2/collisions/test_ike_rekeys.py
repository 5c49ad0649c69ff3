"""Rekeying the IKE SA, alone and against what the peer does (RFC 7296 section 2.8.2)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from tests.pair import ike
from tests.protocol.ikev2.collisions.stage import QUIET, Stage, loser

ORDERS = sorted(set(itertools.permutations(["west", "west", "east", "east"])))
ENDS = pytest.mark.parametrize(("end", "other"), [("west", "east"), ("east", "west")])
LOWEST = pytest.mark.parametrize("lowest", ["west i", "west r", "east i", "east r"])


def winner(lowest: str) -> str:
    return "east" if loser(lowest) == "west" else "west"


def count(stage: Stage, name: str) -> int:
    """How many IKE SAs an end has."""
    return len(stage.end(name).association.ike_sas._by_spi)


def assert_rekeyed(stage: Stage, maker: str) -> None:
    """The IKE SA of `maker` stands, the Child SA is as it was, and a Child SA can be rekeyed."""
    stage.settle()
    assert stage.ike_maker() == maker
    stage.pair.pass_time(210)
    stage.assert_rest("old")
    for end in stage.pair.ends():
        assert end.association.ike_sa.state is IkeSaState.ESTABLISHED
        assert all(one.succeeded for one in end.answers)
    stage.rekey("east")
    stage.settle()
    stage.assert_rest("e1")


@ENDS
def test_regular(end: str, other: str) -> None:
    stage = Stage()
    stage.rekey_ike(end)
    stage.arrive(other, end)
    assert count(stage, end) == count(stage, other) == 2
    assert_rekeyed(stage, end)


@LOWEST
@pytest.mark.parametrize("order", ORDERS)
def test_collision(lowest: str, order: tuple[str, ...]) -> None:
    stage = Stage(lowest)
    stage.rekey_ike("west", "east")
    for name in order:
        if stage.under_way(name):
            stage.arrive(name)
    assert_rekeyed(stage, winner(lowest))
    assert not [one for one in stage.pair.trace if "N(TEMP" in one]
    for end in stage.pair.ends():
        assert len(end.said("ike-sa-rekeyed")) == 1


@LOWEST
def test_collision_step_by_step(lowest: str) -> None:
    """The creator of the redundant IKE SA deletes it on itself, the winner the old one."""
    lost, won = loser(lowest), winner(lowest)
    stage = Stage(lowest)
    old = stage.end(won).association.ike_sa
    stage.rekey_ike(lost, won)
    stage.arrive(won, lost)
    assert stage.end(won).association.ike_sa is old
    assert count(stage, won) == count(stage, lost) == 2
    stage.arrive(lost, won)
    assert stage.ike_maker() == won
    assert old.state is IkeSaState.DELETING
    assert count(stage, won) == count(stage, lost) == 3
    assert_rekeyed(stage, won)


def wrong_groups(lowest: str, *ends: str) -> Stage:
    """Requests are out whose group has gone out of favour at the other end."""
    both = ike("aes128gcm16-prfsha256-x25519-ecp256")
    stage = Stage(lowest, replace(QUIET, proposals=both))
    stage.rekey_ike(*ends)
    for end in stage.pair.ends():
        association = end.association
        proposals = ike("aes128gcm16-prfsha256-ecp256")
        association.connection = replace(association.connection, proposals=proposals)
    return stage


@ENDS
def test_ke_invalid(end: str, other: str) -> None:
    stage = wrong_groups("west i", end)
    stage.arrive(other)
    assert "INVALID_KE" in stage.pair.trace[-1]
    assert_rekeyed(stage, end)


@LOWEST
def test_ke_invalid_collision(lowest: str) -> None:
    stage = wrong_groups(lowest, "west", "east")
    stage.arrive("east", "west")
    assert all("INVALID_KE" in one for one in stage.pair.trace[-2:])
    assert_rekeyed(stage, winner(lowest))


@LOWEST
@ENDS
def test_ke_invalid_delayed_retry(lowest: str, end: str, other: str) -> None:
    stage = wrong_groups(lowest, "west", "east")
    stage.arrive("east", "west")
    stage.arrive(end)
    late = stage.hold(other)
    stage.settle()
    stage.release(late)
    assert_rekeyed(stage, other)


@LOWEST
@ENDS
def test_delayed_response(lowest: str, end: str, other: str) -> None:
    """Where the other end won it deletes the old IKE SA: ours dies there by a timer."""
    stage = Stage(lowest)
    stage.rekey_ike(end, other)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.arrive(end, other)
    stage.settle()
    if winner(lowest) == other:
        assert stage.ike_maker() == other
        assert count(stage, other) == 2
        stage.pair.pass_time(201)
        assert count(stage, other) == 1
    stage.release(answer)
    assert_rekeyed(stage, winner(lowest))


@ENDS
def test_dropped_request(end: str, other: str) -> None:
    """One request is lost: the other's rekeying goes through, and no second one follows."""
    for lowest in ("west i", "east i"):
        stage = Stage(lowest)
        stage.rekey_ike(end, other)
        stage.hold(other)
        assert_rekeyed(stage, other)


@ENDS
@LOWEST
def test_delayed_request(end: str, other: str, lowest: str) -> None:
    """The end that never knew is closing the old one: TEMPORARY_FAILURE."""
    stage = Stage(lowest)
    stage.rekey_ike(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    deletion = stage.hold(end)
    stage.release(late)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.arrive(end)
    stage.release(deletion)
    assert_rekeyed(stage, other)


@ENDS
@LOWEST
def test_delayed_request_and_delete(end: str, other: str, lowest: str) -> None:
    """The Delete of the old one is there before the answer, and the answer never counts."""
    stage = Stage(lowest)
    stage.rekey_ike(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    stage.release(late)
    refusal = stage.hold(end)
    stage.arrive(end)
    stage.release(refusal)
    assert_rekeyed(stage, other)


@ENDS
def test_delete(end: str, other: str) -> None:
    """2.25.2: one that is being closed is not rekeyed, one that is being rekeyed may be closed."""
    stage = Stage(gapless=False)
    stage.rekey_ike(end)
    stage.delete_ike(other)
    stage.arrive(other)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_closed()


@ENDS
def test_delete_drop_delete(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.rekey_ike(end)
    stage.delete_ike(other)
    stage.hold(end)
    stage.settle()
    stage.pair.pass_time(10)
    stage.assert_closed()


@ENDS
@LOWEST
def test_a_deletion_by_an_operator_survives_a_collision(end: str, other: str, lowest: str) -> None:
    stage = Stage(lowest, gapless=False)
    stage.rekey_ike(end, other)
    stage.delete_ike(end)
    stage.settle()
    stage.pair.pass_time(10)
    stage.assert_closed()


@ENDS
def test_the_end_of_its_lifetime_spares_an_ike_sa_that_is_being_rekeyed(
    end: str, other: str
) -> None:
    short = replace(QUIET, rekey_time=100.0, over_time=10.0, rand_time=0.0)
    stage = Stage("west i", short)
    stage.pair.pass_time(99)
    stage.rekey_ike(end)
    request = stage.hold(other)
    stage.pair.fate = lambda number: 0
    stage.pair.pass_time(12)
    stage.pair.fate = lambda number: 1
    stage.release(request)
    stage.settle()
    stage.pair.pass_time(8)
    assert not any(one.association.closed for one in stage.pair.ends())
    assert stage.ike_maker() == end


@ENDS
def test_a_liveness_check_is_no_reason_to_refuse(end: str, other: str) -> None:
    """(RFC 7296 section 2.25.1)"""
    stage = Stage("west i", replace(QUIET, dpd_delay=30.0))
    checking = stage.end(other)
    stage.end(end).association.timers.stop_all()
    stage.pair.fate = lambda number: 0
    stage.pair.pass_time(31)
    assert checking.association.ike_sa.requests.outstanding
    stage.pair.fate = lambda number: 1
    stage.rekey_ike(end)
    stage.arrive(other)
    assert "TEMPORARY_FAILURE" not in stage.pair.trace[-1]
    stage.settle()
    assert stage.ike_maker() == end


@ENDS
def test_a_peer_that_is_never_ready_loses_its_ike_sa(end: str, other: str) -> None:
    """H2: the waits grow, and after minutes the IKE SA is closed."""
    for wish in ("rekey", "rekey_ike"):
        stage = Stage(gapless=False)
        peer = stage.end(other).association
        peer.ike_sa.state = IkeSaState.REKEYED
        getattr(stage, wish)(end)
        stage.settle()
        stage.pair.pass_time(290)
        refusals = [one for one in stage.pair.trace if "N(TEMPORARY_FAILURE)" in one]
        assert 5 <= len(refusals) <= 12
        assert not stage.end(end).association.closed
        stage.pair.pass_time(400)
        assert stage.end(end).association.closed
