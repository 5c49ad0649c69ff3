"""Deleting and creating Child SAs and IKE SAs against what the peer does (section 2.25)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType, ProtocolId
from ikeactors.protocol.actions import RemoveChildSa
from ikeactors.protocol.events import (
    DeletionRequested,
    InitiationRequested,
    RekeyRequested,
    SaExpired,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.children import REDUNDANT_FOR
from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from ikeactors.protocol.settings import DownAction
from ikeactors.wire.payload import Delete
from tests.pair import child
from tests.protocol.forging import answers, request
from tests.protocol.ikev2.collisions.stage import QUIET, Stage

ENDS = pytest.mark.parametrize(("end", "other"), [("west", "east"), ("east", "west")])
LOWEST = pytest.mark.parametrize("lowest", ["west i", "west r", "east i", "east r"])


def up(stage: Stage, *ends: str) -> None:
    for name in ends:
        stage.pair.give(stage.end(name), InitiationRequested(("net",), None))


@ENDS
def test_child_delete_regular(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.delete(end)
    stage.arrive(other, end)
    stage.assert_shows("old retired i", "old retired i")
    stage.assert_rest()


def test_child_delete_collision() -> None:
    """Neither names its half in the answer."""
    stage = Stage(gapless=False)
    stage.delete("west")
    stage.delete("east")
    stage.arrive("west", "east")
    assert [one[4:] for one in stage.pair.trace[-2:]] == ["HDR, SK {}", "HDR, SK {}"]
    stage.settle()
    stage.assert_rest()


def test_child_delete_collision_drop() -> None:
    """One of the two Deletes is lost, and sent again."""
    stage = Stage(gapless=False)
    stage.delete("west")
    stage.delete("east")
    stage.hold("west")
    stage.settle()
    stage.assert_rest()


@ENDS
def test_child_delete_ike_rekey(end: str, other: str) -> None:
    """The Delete is served, the rekeying put off."""
    stage = Stage(gapless=False)
    stage.delete(end)
    stage.rekey_ike(other)
    stage.arrive(other)
    assert "{D}" in stage.pair.trace[-1]
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest()
    assert stage.ike_maker() == other


@ENDS
def test_child_delete_ike_delete(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.delete(end)
    stage.delete_ike(other)
    stage.settle()
    stage.assert_closed()


@ENDS
def test_ike_delete_regular(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.delete_ike(end)
    stage.settle()
    stage.assert_closed()


def test_ike_delete_collision() -> None:
    stage = Stage(gapless=False)
    stage.delete_ike("west")
    stage.delete_ike("east")
    stage.settle()
    stage.assert_closed()


@LOWEST
def test_child_create_collision(lowest: str) -> None:
    """Both create the same Child SA at once: one is left."""
    survivor = "e1" if lowest in ("west i", "east r") else "w1"
    stage = Stage(lowest, gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, "west", "east")
    stage.arrive("west", "east", "west", "east")
    for end in stage.pair.ends():
        assert len({one.reqid for one in end.association.children}) == 1
    stage.settle()
    stage.assert_rest(survivor)


@LOWEST
@ENDS
def test_child_create_collision_that_one_end_does_not_see(
    lowest: str, end: str, other: str
) -> None:
    stage = Stage(lowest, gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, end, other)
    late = stage.hold(other)
    stage.settle()
    (standing,) = stage.end(other).association.children
    stage.pair.gapless = True
    stage.release(late)
    stage.settle()
    assert {one.reqid for one in stage.end(other).association.children} == {standing.reqid}
    stage.assert_rest(f"{other[0]}1")


@ENDS
def test_of_two_that_were_made_at_once_a_rekeying_revives_none(end: str, other: str) -> None:
    """The redundant one waits for its Delete while the one that stays is rekeyed."""
    stage = Stage(f"{other} i", gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, end, other)
    late = stage.hold(other)
    stage.settle()
    stage.release(late)
    stage.settle()
    children = stage.end(end).association.children
    (redundant,) = [one for one in children if one.state is ChildState.REDUNDANT]
    (standing,) = children.named("net")
    for one in (end, other):
        spi = standing.spi_in if one == end else standing.spi_out
        stage.pair.give(stage.end(one), RekeyRequested(spi=spi))
    stage.settle()
    assert redundant.state is ChildState.REDUNDANT


def test_of_two_that_were_made_at_once_the_second_sends_when_the_first_is_gone() -> None:
    """West has the answer to its own request, and has not seen that east asked before."""
    stage = Stage("west i", gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, "east", "west")
    late = stage.hold("west")
    stage.settle()
    stage.release(late)
    stage.assert_shows("w1 installed io, e1 installed i", "w1 installed io")
    stage.delete("west")
    stage.settle()
    stage.assert_rest()


def test_one_that_is_made_beside_one_that_is_deleted_is_no_twin() -> None:
    """The answer to east, which asks for another one at once, may be lost."""
    start = replace(QUIET, children=(replace(QUIET.children[0], close_action=DownAction.START),))
    stage = Stage(west=start, gapless=False)
    stage.delete("west")
    (old,) = stage.pair.west.association.children
    stage.arrive("east")
    stage.arrive("west")
    new = next(one for one in stage.pair.west.association.children if one is not old)
    assert new.reqid != old.reqid
    stage.settle()
    stage.assert_rest("e1")


def test_child_create_duplicate() -> None:
    """Two operators of one end want the same: it is made once."""
    stage = Stage(gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, "west", "west")
    stage.settle()
    stage.assert_rest("w1")


@ENDS
def test_child_create_collision_ike_rekey(end: str, other: str) -> None:
    """TEMPORARY_FAILURE to a new Child SA that nobody waits for: it is tried again."""
    stage = Stage(gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    stage.rekey_ike(other)
    up(stage, end)
    stage.arrive(other)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest(f"{end[0]}1")


def test_temporary_failure_to_a_new_child_sa_is_told_to_the_operator() -> None:
    stage = Stage(gapless=False)
    stage.delete("west")
    stage.settle()
    stage.end("east").association.ike_sa.state = IkeSaState.REKEYED
    stage.pair.give(stage.pair.west, InitiationRequested(("net",), 7))
    stage.settle()
    (answer,) = [one for one in stage.pair.west.answers if one.request_id == 7]
    assert not answer.succeeded
    assert "TEMPORARY_FAILURE" in answer.text


@pytest.mark.parametrize("ends", [("west",), ("east",), ("west", "east"), ("east", "west")])
@pytest.mark.parametrize("lowest", ["west i", "east i"])
def test_a_hard_expiry_makes_one_child_sa(ends: tuple[str, ...], lowest: str) -> None:
    stage = Stage(lowest, gapless=False)
    for name in ends:
        (old,) = stage.end(name).association.children
        for sa_id in old.installed_sas:
            stage.pair.give(stage.end(name), SaExpired(sa_id, hard=True))
    stage.settle()
    stage.assert_rest("w1" if "west" in ends else "e1")
    assert sum(one.endswith("{SA, Ni, TSi, TSr}") for one in stage.pair.trace) == 1


@ENDS
@pytest.mark.parametrize("step", range(4))
def test_an_operator_deletes_at_any_time_of_a_rekeying(end: str, other: str, step: int) -> None:
    """Whatever the Child SA has become, it goes with its successor."""
    for by_spi in (False, True):
        for deleting in (end, other):
            stage = Stage(gapless=False)
            (old,) = stage.end(deleting).association.children
            stage.rekey(end)
            for name in (other, end, other, end)[:step]:
                stage.arrive(name)
            if by_spi and step < 2:
                stage.pair.give(stage.end(deleting), DeletionRequested(spi=old.spi_in))
            else:
                stage.delete(deleting)
            stage.settle()
            stage.assert_rest()
            for one in stage.pair.ends():
                assert len(one.said("child-sa-down")) == 1


@ENDS
def test_close_action_start_makes_what_was_deleted_too_early(end: str, other: str) -> None:
    keeper = child(rekey_time=0.0, life_time=0.0, close_action=DownAction.START)
    stage = Stage("west i", replace(QUIET, children=(keeper,)), gapless=False)
    stage.rekey(end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.delete(other)
    stage.arrive(end)
    stage.release(answer)
    stage.settle()
    stage.assert_rest(f"{end[0]}2")


def test_a_delete_of_very_many_is_quick_and_remembers_few() -> None:
    stage = Stage(gapless=False)
    stage.rekey("east")
    spis = tuple(number.to_bytes(4, "big") for number in range(1000, 17000))
    request(stage.pair, stage.pair.west, ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, spis))
    assert answers(stage.pair, stage.pair.west)[-1] == ()
    assert len(stage.pair.east.association.children.early or ()) == 16


@ENDS
def test_a_successor_that_was_deleted_while_it_was_installed_does_not_come_up(
    end: str, other: str
) -> None:
    """The data plane answers after the peer's Delete: the old one goes as it would have before."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.arrive(other)
    (made,) = [one for one in stage.end(other).association.children if not one.is_ours][-1:]
    stage.pair.slow = []
    stage.arrive(end)
    stage.pair.give(stage.end(other), SaExpired(made.inbound.sa_id, hard=True))
    stage.arrive(end)
    stage.pair.hurry()
    assert f"{end[0]}1 retired" in stage.shows(end)
    assert "old deleting" in stage.shows(end)
    stage.settle()
    stage.pair.pass_time(60)
    for one in stage.pair.ends():
        assert [child.state.value for child in one.association.children] == ["installed"]
    stage.pair.assert_mirrored()


@ENDS
def test_the_successor_of_an_ike_sa_that_is_to_go_takes_no_new_requests(
    end: str, other: str
) -> None:
    stage = Stage(gapless=False)
    stage.rekey_ike(end)
    stage.delete_ike(end)
    stage.arrive(other, end)
    assert stage.end(end).association.ike_sa.state is IkeSaState.DELETING
    stage.settle()
    stage.assert_closed()


@ENDS
def test_what_goes_because_the_peer_keeps_its_own_sends_no_more(end: str, other: str) -> None:
    """Nor does what is being negotiated in its place stay (RFC 7296 section 2.8.1)."""
    stage = Stage(f"{other} i", gapless=False)
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)
    up(stage, end, other)
    late = stage.hold(other)
    stage.settle()
    stage.release(late)
    stage.settle()
    (redundant,) = [
        one for one in stage.end(end).association.children if one.state is ChildState.REDUNDANT
    ]
    (standing,) = stage.end(end).association.children.named("net")
    stage.pair.pass_time(REDUNDANT_FOR - 0.1)
    stage.pair.give(stage.end(end), RekeyRequested(spi=standing.spi_in))
    stage.pair.pass_time(0.2, deliver=False)
    assert redundant.is_up
    assert redundant.outbound_installed
    assert not standing.outbound_installed
    stage.pair.pass_time(30)
    for one in (end, other):
        assert len(stage.end(one).association.children.named("net")) == 1
    stage.pair.assert_mirrored()


def test_a_delete_that_was_not_sent_yet_takes_nothing_when_the_ike_sa_is_to_go() -> None:
    """Until the peer has heard of either it sends by the Child SA."""
    stage = Stage(gapless=False)
    west = stage.end("west")
    stage.pair.give(west, RekeyRequested())
    stage.delete("west")
    west.actions.clear()
    stage.pair.give(west, DeletionRequested())
    assert not [one for one in west.actions if isinstance(one, RemoveChildSa)]
    assert [one.state for one in west.association.children] == [ChildState.DELETING]
    stage.settle()
    assert all(stage.end(one).association.closed for one in ("west", "east"))
