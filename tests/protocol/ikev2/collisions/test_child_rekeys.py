"""Rekeying a Child SA, alone and against the peer's rekeying (RFC 7296 section 2.8.1)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ikeactors.protocol.actions import InstallChildSa
from tests.pair import child, esp
from tests.protocol.ikev2.collisions.stage import QUIET, Stage, loser, other, shown

ENDS = pytest.mark.parametrize(("end", "other"), [("west", "east"), ("east", "west")])
ORDERS = sorted(set(itertools.permutations(["west", "west", "east", "east"])))
LOWEST = pytest.mark.parametrize("lowest", ["west i", "west r", "east i", "east r"])


@ENDS
def test_regular(end: str, other: str) -> None:
    new = f"{end[0]}1"
    stage = Stage()
    stage.rekey(end)
    stage.arrive(other)
    shown(stage, end, "old rekeying io", f"old rekeyed io, {new} installed i")
    stage.arrive(end)
    shown(stage, end, f"old deleting i, {new} installed io", f"old rekeyed io, {new} installed i")
    stage.arrive(other)
    shown(stage, end, f"old deleting i, {new} installed io", f"old retired i, {new} installed io")
    stage.arrive(end)
    shown(stage, end, f"old retired i, {new} installed io", f"old retired i, {new} installed io")
    stage.assert_rest(new)
    for one in stage.pair.ends():
        assert len(one.said("child-sa-rekeyed")) == 1


@LOWEST
@pytest.mark.parametrize(
    "order", sorted(set(itertools.permutations(["west", "west", "east", "east"])))
)
def test_collision(lowest: str, order: tuple[str, ...]) -> None:
    """Both complete, the lowest nonce loses, whatever arrives first."""
    stage = Stage(lowest)
    stage.rekey("west", "east")
    for name in order:
        if stage.under_way(name):
            stage.arrive(name)
    stage.settle()
    survivor = f"{other(loser(lowest))[0]}1"
    stage.assert_rest(survivor)
    assert not [one for one in stage.pair.trace if "N(TEMP" in one or "N(CHILD" in one]


@LOWEST
def test_both_ends_say_whose_stays(lowest: str) -> None:
    lost = loser(lowest)
    stage = Stage(lowest)
    stage.rekey("west", "east")
    stage.settle()
    for end in stage.pair.ends():
        stays = "the peer's" if end.name == lost else "ours"
        texts = [one.text for one in end.said("exchanges-crossed")]
        assert [one.endswith(f" at once: {stays} stays") for one in texts] == [True]
        assert texts[0].startswith("both ends have made ")


@LOWEST
def test_collision_step_by_step(lowest: str) -> None:
    lost, won = loser(lowest), other(loser(lowest))
    bad, good = f"{lost[0]}1", f"{won[0]}1"
    stage = Stage(lowest)
    stage.rekey(lost, won)
    stage.arrive(won, lost)
    shown(
        stage, lost, f"old rekeying io, {good} installed i", f"old rekeying io, {bad} installed i"
    )
    stage.arrive(lost)
    shown(
        stage,
        lost,
        f"old rekeyed io, {good} installed i, {bad} deleting i",
        f"old rekeying io, {bad} installed i",
    )
    stage.arrive(won)
    shown(
        stage,
        lost,
        f"old rekeyed io, {good} installed i, {bad} deleting i",
        f"old deleting i, {bad} redundant i, {good} installed io",
    )
    stage.arrive(lost)
    shown(
        stage,
        lost,
        f"old retired i, {good} installed io, {bad} deleting i",
        f"old deleting i, {bad} redundant i, {good} installed io",
    )
    stage.settle()
    stage.assert_rest(good)


@LOWEST
@ENDS
def test_collision_delayed_response(lowest: str, end: str, other: str) -> None:
    """Case 4: one end deletes the old or its redundant SA before the other has its answer."""
    stage = Stage(lowest)
    stage.rekey(end, other)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.arrive(end, other)
    stage.settle()
    stage.release(answer)
    stage.settle()
    stage.assert_rest("e1" if loser(lowest) == "west" else "w1")


@LOWEST
@ENDS
def test_collision_delayed_response_delete(lowest: str, end: str, other: str) -> None:
    """Case 5: the new SA is deleted too; the answer that comes then makes nothing."""
    stage = Stage(lowest, gapless=False)
    stage.rekey(end, other)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.arrive(end, other)
    stage.settle()
    stage.delete(other)
    stage.settle()
    stage.release(answer)
    stage.settle()
    stage.assert_rest()


@LOWEST
@ENDS
def test_collision_delayed_request(lowest: str, end: str, other: str) -> None:
    """Case 7: one end never knew; the request that comes late is told TEMPORARY_FAILURE."""
    stage = Stage(lowest)
    stage.rekey(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    deletion = stage.hold(end)
    stage.release(late)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.arrive(end)
    new = f"{other[0]}1"
    shown(stage, end, f"old rekeyed io, {new} installed i", f"old deleting i, {new} installed io")
    stage.release(deletion)
    stage.settle()
    stage.assert_rest(new)


@LOWEST
@ENDS
def test_collision_delayed_request_delete_first(lowest: str, end: str, other: str) -> None:
    """Case 7: the Delete is there before the TEMPORARY_FAILURE."""
    stage = Stage(lowest)
    stage.rekey(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    stage.release(late)
    refusal = stage.hold(end)
    stage.arrive(end)
    stage.release(refusal)
    stage.settle()
    stage.assert_rest(f"{other[0]}1")


@LOWEST
@ENDS
def test_collision_delayed_request_more(lowest: str, end: str, other: str) -> None:
    """Case 8: later still, the SA is gone: CHILD_SA_NOT_FOUND, and the rekeying is done."""
    stage = Stage(lowest)
    stage.rekey(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    stage.settle()
    stage.release(late)
    assert "N(CHILD_SA_NOT_FOUND)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest(f"{other[0]}1")
    assert all(one.succeeded for one in stage.end(end).answers)


@ENDS
def test_collision_delayed_request_more_delete(end: str, other: str) -> None:
    """Case 9: the old and the new SA are deleted before the request comes."""
    stage = Stage(gapless=False)
    stage.rekey(end, other)
    late = stage.hold(other)
    stage.arrive(end, other)
    stage.settle()
    stage.delete(other)
    stage.settle()
    stage.release(late)
    stage.settle()
    stage.assert_rest()


@ENDS
def test_ke_invalid(end: str, other: str) -> None:
    stage = wrong_groups("west i", end)
    stage.arrive(other)
    assert "INVALID_KE" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest(f"{end[0]}1")


@LOWEST
def test_ke_invalid_collision(lowest: str) -> None:
    """Case 11: both ends use a wrong group first."""
    stage = wrong_groups(lowest, "west", "east")
    stage.arrive("east", "west")
    assert all("INVALID_KE" in one for one in stage.pair.trace[-2:])
    stage.settle()
    stage.assert_rest(f"{other(loser(lowest))[0]}1")


@LOWEST
@ENDS
def test_ke_invalid_delayed_retry(lowest: str, end: str, other: str) -> None:
    """Case 12: the retry of one comes after the other is through."""
    stage = wrong_groups(lowest, "west", "east")
    stage.arrive("east", "west")
    stage.arrive(end)
    late = stage.hold(other)
    stage.settle()
    stage.release(late)
    stage.settle()
    stage.assert_rest(f"{other[0]}1")


def wrong_groups(lowest: str, *ends: str) -> Stage:
    """Requests are out whose group has gone out of favour at the other end."""
    settings = child(rekey_time=0.0, life_time=0.0, esp_proposals=esp("aes128gcm16-x25519-ecp256"))
    stage = Stage(lowest, replace(QUIET, children=(settings,)))
    stage.rekey(*ends)
    for end in stage.pair.ends():
        for one in end.association.children:
            one.settings = replace(one.settings, esp_proposals=esp("aes128gcm16-ecp256"))
    return stage


@ENDS
@pytest.mark.parametrize("step", range(4))
def test_a_collision_with_a_data_plane_that_refuses(end: str, other: str, step: int) -> None:
    """H13: whichever installation is refused, what stood goes on until it is replaced."""
    for lowest in ("west i", "east i"):
        stage = Stage(lowest)
        count = itertools.count()
        refusing = stage.end(end)

        def refuse(action: InstallChildSa, count: itertools.count = count) -> str:
            return "no" if next(count) == step else ""

        refusing.refuse = refuse
        stage.pair.gapless = False
        stage.rekey(end, other)
        stage.settle()
        stage.pair.pass_time(300)
        for one in stage.pair.ends():
            assert len(one.association.children) <= 1
            assert len(one.sas) == 2 * len(one.association.children)
        stage.pair.assert_mirrored()


@ENDS
@LOWEST
def test_the_peer_deletes_the_wrong_one_of_a_collision(end: str, other: str, lowest: str) -> None:
    """H4: what the peer keeps is kept."""
    if loser(lowest) != other:
        return
    stage = Stage(lowest)
    stage.rekey(end, other)
    stage.arrive(other, end, end)
    wrong, kept = f"{end[0]}1", f"{other[0]}1"
    confused = stage.end(other).association.children
    (winner,) = [one for one in confused if not one.is_ours and one.successor is None]
    assert wrong in stage.shows(end)
    assert kept in stage.shows(end)
    stage.pair.gapless = False
    (mine,) = [one for one in stage.end(end).association.children if one.spi_in == winner.spi_out]
    stage.end(end).association.children.deleted_by_peer(mine)
    assert f"{kept} installed io" in stage.shows(end)
