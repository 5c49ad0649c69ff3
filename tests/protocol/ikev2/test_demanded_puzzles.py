"""Puzzles that a responder gives: how hard they are, and whom their solution lets in."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.prf import prf_for
from ikeactors.iana import NotifyType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Admitted, Refused
from ikeactors.protocol.ikev2.puzzles import solved_bits
from ikeactors.wire.message import find, notifies, read_message
from ikeactors.wire.payload import Notify, PuzzleSolution
from ikeactors.wire.puzzles import read_puzzle
from tests.pair import WEST, Pair, SeededEntropy, connection, ike
from tests.protocol.forging import initiated, sent_by
from tests.protocol.puzzling import (
    CROWD,
    SHA256,
    ask,
    cookie_in,
    demand,
    door,
    pass_door,
    puzzle,
    solved_request,
    willing_to,
    with_keys,
    work,
)

ELSEWHERE = Endpoint(ip_address("198.51.100.7"), 500)


def test_a_puzzle_is_as_hard_as_the_crowd_is_large() -> None:
    """(RFC 8019 section 7.1.1.1)"""
    guard, asked = door(14), []
    for half_open in (CROWD, 2 * CROWD - 1, 2 * CROWD, 4 * CROWD, 9999):
        verdict = ask(initiated(), guard, initiated().flights[0].datagram, half_open)
        assert isinstance(verdict, Refused)
        assert verdict.reply is not None
        (notify,) = notifies(read_message(verdict.reply).payloads, NotifyType.PUZZLE)
        asked.append(read_puzzle(notify.data).difficulty)
    assert asked == [14, 14, 15, 16, 16]


def test_no_puzzle_is_given_below_the_threshold() -> None:
    pair = initiated()
    assert pass_door(pair, door(), CROWD - 1) == ["cookie asked for"]
    assert pair.west.association.established
    assert not pair.west.said("puzzle-received")


def test_who_solved_a_puzzle_is_let_in_when_none_is_asked_for_any_more() -> None:
    guard = door()
    pair, request = solved_request(guard)
    assert ask(pair, guard, request, CROWD - 1) == Admitted()


def test_who_had_only_a_cookie_is_given_a_puzzle_when_the_crowd_grows() -> None:
    guard, pair = door(unsolved=5.0), initiated()
    verdict = ask(pair, guard, pair.flights[-1].datagram, CROWD - 1)
    assert isinstance(verdict, Refused)
    assert verdict.reply is not None
    pair.give(pair.west, sent_by(pair, pair.east, verdict.reply))
    assert pass_door(pair, guard) == ["puzzle given"]
    assert pair.west.association.established


def test_wrong_keys_are_no_solution() -> None:
    """(RFC 8019 section 7.1.4)"""
    guard = door()
    pair, request = solved_request(guard)
    solution = find(read_message(request.octets).payloads, PuzzleSolution)
    assert solution is not None
    keys = solution.keys
    for bad in (
        tuple(bytes((n,)) * 4 for n in range(4)),
        (keys[0], *keys[:3]),
        (*keys[:3], bytes(4)),
        tuple(key + bytes(60) for key in keys),
    ):
        verdict = ask(pair, guard, with_keys(request, bad))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "puzzle solved wrongly"
        assert verdict.reply is not None
    assert ask(pair, guard, request) == Admitted()


def test_too_few_zero_bits_are_no_solution() -> None:
    guard = door(20)
    pair = willing_to(Pair(), 20)
    pair.initiate()
    verdict = ask(pair, guard, pair.flights[-1].datagram)
    assert isinstance(verdict, Refused)
    assert verdict.reply is not None
    notified = notifies(read_message(verdict.reply).payloads, NotifyType.COOKIE)[0]
    # West is told of an easier puzzle than the one that its cookie holds.
    demand(pair, notified, puzzle(9))
    work(pair)
    considered = ask(pair, guard, pair.flights[-1].datagram)
    assert isinstance(considered, Refused)
    assert considered.reason == "puzzle solved wrongly"


@pytest.mark.parametrize("change", ["address", "port", "spi"])
def test_a_solution_is_good_for_one_asker(change: str) -> None:
    """J2"""
    guard = door()
    pair, request = solved_request(guard)
    other = {
        "address": replace(request, remote=ELSEWHERE),
        "port": replace(request, remote=Endpoint(WEST.address, 501)),
        "spi": replace(request, octets=b"anothers" + request.octets[8:]),
    }[change]
    verdict = ask(pair, guard, other)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "puzzle given"
    assert ask(pair, guard, request) == Admitted()


def test_a_solution_is_not_used_again_and_again() -> None:
    """(RFC 8019 section 10)"""
    guard = door()
    pair, request = solved_request(guard)
    verdicts = [ask(pair, guard, request) for _ in range(10)]
    assert verdicts[:3] == [Admitted()] * 3
    assert {one.reason for one in verdicts[3:] if isinstance(one, Refused)} == {
        "puzzle's solution used up"
    }


def test_puzzles_got_harder_and_who_solved_more_is_let_in() -> None:
    """(RFC 8019 section 7.1.5)"""
    guard = door()
    pair, request = solved_request(guard)
    message = read_message(request.octets)
    solution = find(message.payloads, PuzzleSolution)
    assert solution is not None
    solved = solved_bits(prf_for(SHA256), cookie_in(message), solution.keys)
    assert ask(pair, guard, request, 2 * CROWD) == Admitted()
    guard.limits = replace(guard.limits, puzzle_difficulty=solved + 1)
    assert ask(pair, guard, request) == Admitted()
    guard.limits = replace(guard.limits, puzzle_difficulty=solved + 2)
    verdict = ask(pair, guard, request)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "harder puzzle given"
    assert verdict.reply is not None


def test_who_knows_no_puzzles_gets_in_seldom() -> None:
    """(RFC 8019 section 7.1.5)"""
    limits = AdmissionLimits(puzzle_threshold=CROWD, puzzle_difficulty=255)
    guard, pair = Admission(SeededEntropy("door"), limits, Allowance(100, 100)), initiated()
    for _ in range(100):
        assert isinstance(ask(pair, guard, pair.flights[0].datagram), Refused)
    verdict = ask(pair, guard, pair.flights.pop().datagram)
    assert isinstance(verdict, Refused)
    assert verdict.reply is not None
    pair.give(pair.west, sent_by(pair, pair.east, verdict.reply))
    request = pair.flights[-1].datagram
    assert [ask(pair, guard, request) for _ in range(7)] == [
        *[Admitted()] * 5,
        *[Refused("puzzle not solved")] * 2,
    ]
    pair.now += 0.19
    assert ask(pair, guard, request) == Refused("puzzle not solved")
    pair.now += 0.02
    assert ask(pair, guard, request) == Admitted()


def test_who_offers_no_prf_gets_no_puzzle() -> None:
    """(RFC 8019 section 7.1.1.2)"""
    pair = initiated(Pair(connection(proposals=ike("aes128-sha256-prfmd5-x25519"))))
    few = ask(pair, door(), pair.flights[0].datagram, CROWD - 1)
    assert isinstance(few, Refused)
    assert few.reason == "cookie asked for"
    verdict = ask(pair, door(), pair.flights[0].datagram)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "no PRF in common"
    assert verdict.reply is not None
    reply = read_message(verdict.reply)
    assert [one.type for one in reply.payloads if isinstance(one, Notify)] == [
        NotifyType.NO_PROPOSAL_CHOSEN
    ]
