"""Puzzles given and solved, for tests of both ends (RFC 8019)."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.iana import NotifyType, Prf
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Admitted, Refused
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.ike_sa_init import MAX_CORRECTIONS, InitSent
from ikeactors.wire.message import Message, notifies, read_message, write_message
from ikeactors.wire.payload import Notify, Payload, PuzzleSolution
from ikeactors.wire.puzzles import Puzzle, write_puzzle
from tests.pair import EAST, WEST, Pair, SeededEntropy
from tests.protocol.forging import initiated, sent_by

EASY = 9


CROWD = 50


SHA256 = Prf.HMAC_SHA2_256


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
