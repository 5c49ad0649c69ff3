"""An initiator meets a responder under attack: cookies, puzzles, and what it does not do."""

from __future__ import annotations

import pytest

from ikeactors.iana import NotifyType, Prf
from ikeactors.protocol.actions import Level
from ikeactors.protocol.events import TimerExpired
from ikeactors.protocol.ikev2.admission import Admitted, Refused
from ikeactors.protocol.ikev2.demands import PATIENCE
from ikeactors.protocol.ikev2.ike_sa_init import MAX_CORRECTIONS
from ikeactors.wire.message import find
from ikeactors.wire.payload import Notify, PuzzleSolution
from tests.pair import Pair, connection, ike, opposite
from tests.protocol.forging import initiated, sent_by
from tests.protocol.puzzling import (
    ask,
    cookie,
    demand,
    door,
    is_solving,
    latest,
    pass_door,
    puzzle,
    willing_to,
    work,
)


def test_who_solves_the_puzzle_gets_in() -> None:
    """(RFC 8019 section 7.1)"""
    pair = initiated()
    first = pair.trace[0]
    assert pass_door(pair, door()) == ["puzzle given"]
    assert pair.west.association.established
    assert pair.trace[1] == first.replace("HDR", "HDR, N(COOKIE), PS")
    assert [report.name for report in pair.west.reports[1:3]] == [
        "puzzle-received",
        "ike-sa-init-corrected",
    ]
    pair.assert_mirrored()


@pytest.mark.parametrize("prf", ["prfsha1", "prfsha384", "prfaescmac", "prfaesxcbc"])
def test_the_puzzle_is_of_a_prf_that_was_offered(prf: str) -> None:
    pair = initiated(Pair(connection(proposals=ike(f"aes128gcm16-{prf}-x25519"))))
    assert pass_door(pair, door()) == ["puzzle given"]
    assert pair.west.association.established


def test_a_puzzle_and_another_group_end_well() -> None:
    """J3: the solution goes with the request in the other group too."""
    west = connection(proposals=ike("aes128gcm16-prfsha256-x25519-ecp256"))
    east = connection(proposals=ike("aes128gcm16-prfsha256-ecp256"))
    pair, guard = initiated(Pair(west, opposite(east))), door()
    verdict = ask(pair, guard, pair.flights.pop().datagram)
    assert isinstance(verdict, Refused)
    assert verdict.reply is not None
    pair.give(pair.west, sent_by(pair, pair.east, verdict.reply))
    work(pair)
    for _ in range(2):
        assert ask(pair, guard, pair.flights[-1].datagram) == Admitted()
        pair.east.association = pair.responder()
        pair.deliver(pair.flights[0])
        pair.deliver(pair.flights[0])
    pair.settle()
    assert pair.west.association.established


def test_a_puzzle_is_solved_in_slices_that_go_to_a_worker() -> None:
    pair = initiated()
    demand(pair, cookie(), puzzle(12))
    assert is_solving(pair)
    assert pair.west.association.deadline == pair.now
    assert pair.west.association.needs_worker(TimerExpired())
    pair.give(pair.west, TimerExpired())
    work(pair)
    assert not pair.west.association.needs_worker(TimerExpired())
    keys = find(latest(pair).payloads, PuzzleSolution)
    again = initiated()
    demand(again, cookie(), puzzle(12))
    work(again)
    assert find(latest(again).payloads, PuzzleSolution) == keys


def test_a_puzzle_that_takes_too_long_is_left() -> None:
    pair = willing_to(Pair(), 32)
    pair.initiate()
    demand(pair, cookie(), puzzle(32))
    pair.to_next_timer()
    assert is_solving(pair)
    pair.now += PATIENCE
    work(pair)
    assert latest(pair).payloads[0] == cookie()
    assert find(latest(pair).payloads, PuzzleSolution) is None
    assert pair.west.said("puzzle-unsolved")[0].level is Level.WARNING


@pytest.mark.parametrize(("bits", "difficulty"), [(16, 17), (16, 255), (0, 0), (0, 9)])
def test_a_puzzle_that_is_too_hard_is_told_and_the_cookie_returned(
    bits: int, difficulty: int
) -> None:
    """J12"""
    pair = willing_to(Pair(), bits)
    pair.initiate()
    demand(pair, cookie(), puzzle(difficulty))
    assert not is_solving(pair)
    assert latest(pair).payloads[0] == cookie()
    assert find(latest(pair).payloads, PuzzleSolution) is None
    assert f"puzzle_max_difficulty is {bits}" in pair.west.said("puzzle-unsolved")[0].text


def test_a_puzzle_without_a_difficulty_is_solved_as_well_as_we_would() -> None:
    """(RFC 8019 section 7.1.1.1)"""
    pair = willing_to(Pair(), 10)
    pair.initiate()
    demand(pair, cookie(), puzzle(0))
    work(pair)
    assert find(latest(pair).payloads, PuzzleSolution) is not None


@pytest.mark.parametrize(
    "bad", [puzzle(9, Prf.HMAC_SHA2_512), puzzle(9, Prf(4711)), Notify(NotifyType.PUZZLE, b"\0\5")]
)
def test_a_puzzle_we_cannot_solve_is_as_good_as_none(bad: Notify) -> None:
    pair = initiated()
    demand(pair, cookie(), bad)
    assert not is_solving(pair)
    assert latest(pair).payloads[0] == cookie()


@pytest.mark.parametrize("octets", [None, b"", bytes(65)])
def test_a_puzzle_without_its_cookie_is_passed_over(octets: bytes | None) -> None:
    """(RFC 8019 section 7.1.2)"""
    pair = initiated()
    payloads = (puzzle(9),) if octets is None else (cookie(octets), puzzle(9))
    demand(pair, *payloads)
    assert len(pair.trace) == 1
    assert not pair.west.said("ike-sa-init-refused")
    pair.settle()
    assert pair.west.association.established


def test_the_good_answer_is_taken_while_a_puzzle_is_solved() -> None:
    pair = willing_to(Pair(), 32)
    pair.initiate()
    demand(pair, cookie(), puzzle(32))
    demand(pair, cookie(b"another"), puzzle(9))
    assert is_solving(pair)
    pair.settle()
    assert pair.west.association.established
    pair.pass_time(1.0)
    assert pair.west.association.established


def test_the_same_puzzle_is_solved_once() -> None:
    pair = initiated()
    for _ in range(3):
        demand(pair, cookie(), puzzle(9))
        work(pair)
    assert len(pair.trace) == 2


def test_puzzles_without_end_are_not_solved() -> None:
    """J4"""
    pair = initiated()
    for number in range(12):
        demand(pair, cookie(bytes((number, 1))), puzzle(4))
        work(pair)
    assert len(pair.trace) == 1 + MAX_CORRECTIONS
    assert pair.west.association.deadline < float("inf")
