"""An initiator meets a responder under attack: cookies, puzzles, and what it does not do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.prf import prf_for
from ikeactors.iana import NotifyType, Prf
from ikeactors.protocol.actions import Level
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived, Endpoint, TimerExpired
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Admitted, Refused
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.demands import PATIENCE
from ikeactors.protocol.ikev2.ike_sa_init import MAX_CORRECTIONS, InitSent
from ikeactors.protocol.ikev2.puzzles import solved_bits
from ikeactors.wire.message import Message, find, notifies, read_message, write_message
from ikeactors.wire.payload import Notify, Payload, PuzzleSolution
from ikeactors.wire.puzzles import Puzzle, read_puzzle, write_puzzle
from tests.pair import EAST, WEST, Pair, SeededEntropy, connection, ike, opposite
from tests.protocol.forging import initiated, sent_by

EASY = 9
CROWD = 50
SHA256 = Prf.HMAC_SHA2_256
ELSEWHERE = Endpoint(ip_address("198.51.100.7"), 500)


def door(difficulty: int = EASY, *, unsolved: float = 0.0) -> Admission:
    """A responder that asks for puzzles from 50 half-open IKE SAs on; `unsolved` get in without."""
    limits = AdmissionLimits(puzzle_threshold=CROWD, puzzle_difficulty=difficulty)
    made = Admission(SeededEntropy("door"), limits, Allowance(100, 100))
    made._unsolved = Allowance(0.0, unsolved)
    return made


def willing_to(pair: Pair, bits: int) -> Pair:
    """West solves puzzles of up to so many bits."""
    willing = replace(pair._surroundings["west"], puzzle_max_difficulty=bits)
    west = pair.west.association
    pair.west.association = Association.initiating(
        pair.west_settings, west.connection, WEST, EAST, willing
    )
    return pair


def is_solving(pair: Pair) -> bool:
    phase = pair.west.association.phase
    return isinstance(phase, InitSent) and phase.demands.is_solving


def work(pair: Pair) -> None:
    """Let west solve its puzzle."""
    while is_solving(pair):
        pair.to_next_timer()


def ask(
    pair: Pair, guard: Admission, datagram: DatagramReceived, half_open: int = CROWD
) -> Refused | Admitted:
    return guard.consider(datagram, half_open, 0, pair.now)


def pass_door(pair: Pair, guard: Admission, half_open: int = CROWD) -> list[str]:
    """Lead west's request through admission; the reasons why it had to come again."""
    reasons = []
    for _ in range(MAX_CORRECTIONS + 1):
        datagram = pair.flights[-1].datagram
        verdict = ask(pair, guard, datagram, half_open)
        if isinstance(verdict, Admitted):
            pair.settle()
            return reasons
        reasons.append(verdict.reason)
        if verdict.reply is None:
            return reasons
        pair.flights.clear()
        pair.give(pair.west, sent_by(pair, pair.east, verdict.reply))
        work(pair)
    return reasons


def demand(pair: Pair, *payloads: Payload) -> None:
    """A response that demands something reaches west."""
    spi_i = pair.flights[-1].datagram.octets[:8]
    octets = write_message(Message(spi_i, bytes(8), 34, 0, True, False, payloads))
    pair.give(pair.west, sent_by(pair, pair.east, octets))


def cookie_in(message: Message) -> bytes:
    (one,) = notifies(message.payloads, NotifyType.COOKIE)
    return one.data


def cookie(octets: bytes = b"cookie") -> Notify:
    return Notify(NotifyType.COOKIE, octets)


def puzzle(difficulty: int, prf: Prf = SHA256) -> Notify:
    return Notify(NotifyType.PUZZLE, write_puzzle(Puzzle(prf, difficulty)))


def latest(pair: Pair) -> Message:
    return read_message(pair.flights[-1].datagram.octets)


def with_keys(datagram: DatagramReceived, keys: tuple[bytes, ...]) -> DatagramReceived:
    """The same request with another solution."""
    message = read_message(datagram.octets)
    payloads = tuple(
        PuzzleSolution(keys) if isinstance(one, PuzzleSolution) else one for one in message.payloads
    )
    return replace(datagram, octets=write_message(replace(message, payloads=payloads)))


def solved_request(guard: Admission) -> tuple[Pair, DatagramReceived]:
    """A request with a good solution that nobody has considered yet."""
    pair = initiated()
    verdict = ask(pair, guard, pair.flights[-1].datagram)
    assert isinstance(verdict, Refused)
    assert verdict.reply is not None
    pair.flights.clear()
    pair.give(pair.west, sent_by(pair, pair.east, verdict.reply))
    work(pair)
    return pair, pair.flights[-1].datagram


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
