"""One end rekeys a Child SA, the other deletes it, loses it, or is late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.events import SaExpired, TimerExpired
from ikeactors.protocol.settings import Retransmission
from tests.protocol.ikev2.collisions.stage import QUIET, Stage, shown

ENDS = pytest.mark.parametrize(("end", "other"), [("west", "east"), ("east", "west")])


@ENDS
def test_responder_deletes_the_new_one(end: str, other: str) -> None:
    """responder_delete: an operator deletes what is half installed."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.arrive(other)
    stage.delete(other)
    stage.settle()
    stage.assert_rest()
    for one in stage.pair.ends():
        assert len(one.said("child-sa-down")) == 1


@ENDS
def test_delete_delayed_response(end: str, other: str) -> None:
    """The Delete of the new SA overtakes the answer that makes it."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.delete(other)
    stage.arrive(end)
    stage.release(answer)
    stage.settle()
    stage.assert_rest()


@ENDS
def test_collision_delete(end: str, other: str) -> None:
    """One rekeys what the other deletes: TEMPORARY_FAILURE, and the Delete is answered."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.delete(other)
    stage.arrive(other)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.arrive(end)
    assert "{D}" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest()
    for one in stage.pair.ends():
        assert len(one.said("child-sa-down")) == 1


@ENDS
def test_collision_delete_drop_delete(end: str, other: str) -> None:
    """The Delete is lost; when the rekeying is tried again, there is nothing any more."""
    stage = Stage(gapless=False)
    stage.delete(other)
    stage.hold(end)
    stage.rekey(end)
    stage.settle()
    stage.assert_rest()


@ENDS
def test_collision_delete_drop_rekey(end: str, other: str) -> None:
    """The request is late: CHILD_SA_NOT_FOUND, and nothing is made anew."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    late = stage.hold(other)
    stage.delete(other)
    stage.settle()
    stage.release(late)
    assert "N(CHILD_SA_NOT_FOUND)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_rest()


@ENDS
def test_responder_lost_sa(end: str, other: str) -> None:
    """The responder has lost the SA: the initiator makes a new one."""
    stage = Stage(gapless=False)
    association = stage.end(other).association
    for one in association.children:
        association.children.remove(one)
    stage.rekey(end)
    stage.settle()
    stage.assert_rest(f"{end[0]}1")


@ENDS
def test_a_successor_is_not_lost_while_the_answer_that_makes_it_is_under_way(
    end: str, other: str
) -> None:
    """A peer that forgets its own request answers CHILD_SA_NOT_FOUND (RFC 7296 section 2.25)."""
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.rekey(other)
    requests = stage.end(end).association.ike_sa.requests
    asked, requests.outstanding = requests.outstanding, ()
    stage.arrive(end)
    requests.outstanding = asked
    assert "N(CHILD_SA_NOT_FOUND)" in stage.pair.trace[-1]
    stage.arrive(other)
    stage.release(answer)
    stage.settle()
    stage.pair.pass_time(60)
    new = f"{other[0]}1"
    shown(stage, other, f"{new} installed io", f"{new} installed io")


@ENDS
def test_responder_ignores_a_soft_expiry(end: str, other: str) -> None:
    """It has been rekeyed already and waits for its Delete."""
    stage = Stage()
    (old,) = stage.end(other).association.children
    stage.rekey(end)
    stage.arrive(other)
    before = len(stage.pair.trace)
    for sa_id in old.installed_sas:
        stage.pair.give(stage.end(other), SaExpired(sa_id, hard=False))
    assert len(stage.pair.trace) == before
    stage.settle()
    stage.assert_rest(f"{end[0]}1")


@ENDS
def test_responder_handles_a_hard_expiry(end: str, other: str) -> None:
    """While it waits for the Delete of the old one, that one is over: it deletes it itself."""
    stage = Stage(gapless=False)
    (old,) = stage.end(other).association.children
    stage.rekey(end)
    stage.arrive(other)
    for sa_id in old.installed_sas:
        stage.pair.give(stage.end(other), SaExpired(sa_id, hard=True))
    new = f"{end[0]}1"
    shown(stage, other, f"old deleting io, {new} installed i", "old rekeying io")
    stage.settle()
    stage.assert_rest(new)


@ENDS
def test_responder_deletes_the_old_one_itself(end: str, other: str) -> None:
    """responder_incorrect_delete: the Delete of the old one is here before the answer."""
    stage = Stage(gapless=False)
    (old,) = stage.end(other).association.children
    stage.rekey(end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.end(other).association.children.expire(old, hard=True)
    stage.pair.give(stage.end(other), TimerExpired())
    stage.arrive(end)
    stage.release(answer)
    stage.settle()
    stage.assert_rest(f"{end[0]}1")


@ENDS
def test_delete_timeout(end: str, other: str) -> None:
    """The peer is gone when the old one is to be deleted: one report that the child is down."""
    stage = Stage("west i", replace(QUIET, retransmission=Retransmission()), gapless=False)
    stage.rekey(end)
    stage.arrive(other, end)
    stage.pair.drop()
    stage.pair.pass_time(400, deliver=False)
    assert stage.end(end).association.closed
    assert len(stage.end(end).said("child-sa-down")) == 1
    assert not stage.end(end).sas


@ENDS
def test_a_rekeyed_one_that_nobody_deletes_goes_in_the_end(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.arrive(other, end)
    stage.pair.drop()
    careless = stage.end(end).association
    careless.ike_sa.requests.abandoned()
    careless.ike_sa.requests.next_id -= 1
    careless.timers.stop_all()
    stage.pair.pass_time(300)
    new = f"{end[0]}1"
    shown(stage, other, f"{new} installed io", f"{new} installed io")


@ENDS
def test_a_rekeying_counts_as_done_when_the_peer_has_done_it(end: str, other: str) -> None:
    for held in (False, True):
        stage = Stage()
        stage.rekey(end, other)
        late = stage.hold(other) if held else None
        stage.settle()
        if late is not None:
            stage.release(late)
        stage.settle()
        assert [one.succeeded for one in stage.end(end).answers if one.request_id >= 100] == [True]


@ENDS
def test_collision_ike_rekey(end: str, other: str) -> None:
    """A Child SA against the IKE SA: TEMPORARY_FAILURE to both, and both get there."""
    stage = Stage()
    stage.rekey(end)
    stage.rekey_ike(other)
    stage.arrive(end, other)
    assert all("N(TEMPORARY_FAILURE)" in one for one in stage.pair.trace[-2:])
    stage.settle()
    stage.pair.pass_time(60)
    assert stage.ike_maker() == other
    stage.assert_rest(f"{end[0]}1")


@ENDS
def test_collision_ike_delete(end: str, other: str) -> None:
    stage = Stage(gapless=False)
    stage.rekey(end)
    stage.delete_ike(other)
    stage.arrive(other)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.settle()
    stage.assert_closed()
