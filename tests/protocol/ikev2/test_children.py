"""What becomes of Child SAs: rekeyed hundreds of times, lost messages, expiry, refusals."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ikeactors.protocol.actions import InstallChildSa
from ikeactors.protocol.events import (
    DeletionRequested,
    RekeyRequested,
    SaExpired,
    TimerExpired,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.settings import DownAction, Retransmission
from tests.pair import Pair, child, connection, opposite
from tests.protocol.forging import other

ENDS = pytest.mark.parametrize("end", ["west", "east"])


def established(**changes: object) -> Pair:
    pair = Pair(connection(children=(child(**changes),)))
    pair.establish()
    pair.trace.clear()
    return pair


def rekey(pair: Pair, end: str, request_id: int | None = 7) -> None:
    pair.give(getattr(pair, end), RekeyRequested(child="net", request_id=request_id))


def test_hundreds_of_rekeyings_leave_one_child_sa() -> None:
    pair = Pair().establish()
    (reqid,) = {sa.reqid for sa in pair.west.sas.values()}
    pair.gapless = True
    for number in range(300):
        rekey(pair, ("west", "east", "east")[number % 3])
        pair.settle()
        if number % 25 == 0:
            pair.give(pair.west, RekeyRequested())
            pair.settle()
        pair.pass_time(0.5 if number % 2 else 6)
    pair.pass_time(6)
    pair.assert_one_pair()
    for end in pair.ends():
        assert len(end.association.timers._due_at) <= 6
    assert {sa.reqid for sa in pair.west.sas.values()} == {reqid}


def test_days_pass_without_a_gap() -> None:
    west = connection(rand_time=600.0, children=(child(rand_time=300.0),))
    pair = Pair(west).establish()
    pair.gapless = True
    pair.pass_time(3 * 86400)
    pair.pass_time(100)
    pair.assert_one_pair()
    assert len(pair.west.said("ike-sa-rekeyed")) > 15
    assert not any(end.said("child-sa-down") for end in pair.ends())


def test_two_ends_that_rekey_at_once_come_to_rest() -> None:
    """(RFC 7296 section 2.8.1)"""
    for seed in range(5):
        pair = Pair(seed=str(seed)).establish()
        pair.gapless = True
        before = pair.west.spis()
        rekey(pair, "west")
        rekey(pair, "east")
        pair.settle()
        pair.pass_time(6)
        pair.assert_one_pair()
        assert pair.west.spis().isdisjoint(before)


@ENDS
@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("step", range(4))
def test_each_message_of_a_rekeying_may_be_lost_or_come_twice(
    end: str, copies: int, step: int
) -> None:
    pair = established()
    before = pair.west.spis()
    pair.gapless = True
    at = pair.sent + step
    pair.fate = lambda number: copies if number == at else 1
    rekey(pair, end)
    pair.settle()
    pair.pass_time(30)
    pair.assert_one_pair()
    assert pair.west.spis().isdisjoint(before)
    assert getattr(pair, end).answers[-1].succeeded


@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("step", range(4))
def test_each_message_of_the_beginning_may_be_lost_or_come_twice(copies: int, step: int) -> None:
    pair = Pair()
    pair.fate = lambda number: copies if number == step else 1
    pair.initiate()
    pair.settle()
    pair.pass_time(20)
    pair.assert_one_pair()
    assert pair.west.answers[0].succeeded


@pytest.mark.parametrize("seed", range(10))
def test_a_third_of_all_messages_may_be_lost_and_others_come_twice(seed: int) -> None:
    chance = random.Random(seed)
    patient = Retransmission(timeout=1.0, base=1.0, tries=60)
    pair = Pair(connection(retransmission=patient), seed=str(seed))
    pair.fate = lambda number: chance.choice((0, 1, 2))
    pair.initiate()
    pair.settle()
    pair.pass_time(60)
    for number in range(12):
        rekey(pair, ("west", "east")[number % 2])
        if number % 5 == 4:
            pair.give(pair.east, RekeyRequested())
        pair.settle()
        pair.pass_time(60)
    pair.fate = lambda number: 1
    pair.pass_time(60)
    pair.assert_one_pair()


@ENDS
def test_a_data_plane_that_refuses_a_successor_keeps_the_old_one(end: str) -> None:
    """H13: whoever rekeys, and whoever's data plane refuses."""
    for rekeying in ("west", "east"):
        pair = established()
        before = pair.west.spis()
        refusing = getattr(pair, end)
        refusing.refuse = lambda action: "out of memory"
        pair.gapless = True
        rekey(pair, rekeying)
        pair.settle()
        assert not getattr(pair, rekeying).answers[-1].succeeded
        pair.pass_time(4.5)
        refusing.refuse = lambda action: ""
        pair.pass_time(0.4)
        assert before <= pair.west.spis()
        for one in pair.ends():
            (up,) = one.association.children.named("net")
            assert up.state is ChildState.INSTALLED
        pair.pass_time(40)
        pair.assert_one_pair()
        assert pair.west.spis().isdisjoint(before)


def test_a_data_plane_that_refuses_the_outbound_sa_costs_the_child_sa() -> None:
    """H13"""
    pair = established()
    pair.east.refuse = lambda action: "" if len(action.sas) == 1 and action.policies else "no"
    rekey(pair, "west")
    pair.settle()
    pair.pass_time(10)
    assert pair.east.said("kernel-refused")
    for end in pair.ends():
        assert not end.sas
        assert not end.policies
        assert not len(end.association.children)


@ENDS
def test_a_soft_expiry_in_the_data_plane_rekeys(end: str) -> None:
    pair = established()
    (one,) = getattr(pair, end).association.children
    pair.give(getattr(pair, end), SaExpired(one.outbound.sa_id, hard=False))
    pair.give(getattr(pair, end), SaExpired(one.inbound.sa_id, hard=False))
    pair.settle()
    assert len(pair.trace) == 4
    pair.pass_time(6)
    pair.assert_one_pair()


@ENDS
def test_a_hard_expiry_in_the_data_plane_makes_a_new_child_sa(end: str) -> None:
    pair = established()
    (one,) = getattr(pair, end).association.children
    pair.give(getattr(pair, end), SaExpired(one.inbound.sa_id, hard=True))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()


@ENDS
def test_a_hard_expiry_during_a_rekeying_makes_no_second_child_sa(end: str) -> None:
    """H11"""
    pair = established()
    (one,) = getattr(pair, end).association.children
    rekey(pair, end)
    pair.give(getattr(pair, end), SaExpired(one.inbound.sa_id, hard=True))
    pair.settle()
    pair.pass_time(10)
    pair.assert_one_pair()


def test_an_expiry_of_what_is_not_there_is_no_matter() -> None:
    pair = established()
    (one,) = pair.west.association.children
    stranger = replace(one.inbound.sa_id, spi=7)
    pair.give(pair.west, SaExpired(stranger, hard=True))
    assert pair.trace == []


def test_a_rekeyed_child_sa_that_the_peer_never_deletes_goes_in_the_end() -> None:
    """The peer may be gone: its answer says that it has what came in its place."""
    pair = established(rekey_time=0.0, life_time=100.0)
    (old,) = pair.east.association.children
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    pair.drop()
    (new,) = [one for one in pair.east.association.children if one is not old]
    pair.give(pair.east, SaExpired(old.outbound.sa_id, hard=True))
    assert not new.outbound_installed
    pair.settle()
    assert new.outbound_installed
    assert pair.east.said("child-sa-rekeyed")


def test_what_is_replaced_is_not_sent_by_while_it_is_deleted() -> None:
    """A kernel would prefer it to one that is newer and worn."""
    pair = established()
    (old,) = pair.west.association.children
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    assert old.state is ChildState.DELETING
    assert old.inbound.sa_id in pair.west.sas
    assert old.outbound.sa_id not in pair.west.sas


def test_a_child_sa_that_is_rekeyed_twice_is_deleted_in_either_order() -> None:
    """H3, H4"""
    for order in ((0, 1), (1, 0)):
        pair = established()
        (first,) = pair.west.association.children
        generations = [first]
        for _ in range(2):
            rekey(pair, "west")
            pair.deliver(pair.flights[0])
            pair.deliver(pair.flights[0])
            deletion = pair.flights.pop()
            pair.west.association.ike_sa.requests.abandoned()
            pair.west.association.ike_sa.queue.clear()
            pair.west.association.ike_sa.requests.next_id -= 1
            assert deletion.receiver is pair.east
            generations.append(pair.west.association.children.named("net")[-1])
            for one in generations[:-1]:
                one.state = ChildState.INSTALLED
                one.delete_sent = False
            generations[-1].state = ChildState.INSTALLED
            pair.west.association.children._by_number.pop(generations[-2].number)
        for place in order:
            generation = generations[place]
            pair.west.association.children._by_number[generation.number] = generation
            pair.west.association.children.delete(generation, Request(None))
            pair.give(pair.west, TimerExpired())
            pair.settle()
        pair.pass_time(6)
        pair.assert_one_pair()
        assert generations[-1].inbound.sa_id in pair.west.sas


@ENDS
def test_close_action_start_makes_a_deleted_child_sa_again(end: str) -> None:
    keeper = connection(children=(child(close_action=DownAction.START),))
    clearing = connection()
    west, east = (keeper, opposite(clearing)) if end == "west" else (clearing, opposite(keeper))
    pair = Pair(west, east).establish()
    before = pair.west.spis()
    pair.give(other(pair, getattr(pair, end)), DeletionRequested(child="net", request_id=9))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()
    assert pair.west.spis().isdisjoint(before)


def test_a_deletion_that_meets_our_rekeying_is_not_undone() -> None:
    pair = established()
    rekey(pair, "west")
    pair.give(pair.east, DeletionRequested(child="net", request_id=9))
    pair.settle()
    pair.pass_time(30)
    assert pair.east.answers[-1].succeeded
    for end in pair.ends():
        assert not end.sas
        assert not end.policies
        assert not len(end.association.children)


def test_the_rekeying_margin_lies_within_its_random_part() -> None:
    pair = Pair(connection(children=(child(rekey_time=3600.0, rand_time=360.0),))).establish()
    for end in pair.ends():
        (one,) = end.association.snapshot(pair.now).children
        assert one.rekey_in is not None
        assert 3240 <= one.rekey_in <= 3600


def test_installations_are_asked_for_once() -> None:
    pair = established()
    rekey(pair, "west")
    pair.settle()
    for end in pair.ends():
        installed = [
            sa.spi
            for action in end.actions
            if isinstance(action, InstallChildSa)
            for sa in action.sas
        ]
        assert len(installed) == len(set(installed)) == 4
