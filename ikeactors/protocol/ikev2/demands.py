"""What a responder under attack demands of an initiator, and what the initiator returns: a cookie,
and the solution of a puzzle (RFC 8019 section 7.1).

    HDR, SAi1, KEi, Ni                       -->
                                             <--  HDR, N(COOKIE), N(PUZZLE)
    HDR, N(COOKIE), [PS], SAi1, KEi, Ni      -->

IKE_AUTH may have another puzzle, whose solution stands outside of what is encrypted (section 7.2).

    HDR, SAi1, KEi, Ni, N(COOKIE), PS        -->
                                             <--  HDR, SAr1, KEr, Nr, N(PUZZLE)
    HDR, PS, SK {IDi, AUTH, SAi2, TSi, TSr}  -->

A puzzle is solved a slice at a time, so that it neither occupies a worker nor keeps the
association from an answer that needs no solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.crypto.prf import prf_for
from ikeactors.errors import InvalidSyntax
from ikeactors.iana import NotifyType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2.puzzles import (
    KEY_OCTETS,
    Search,
    auth_text,
    choose_prf,
    offered_prfs,
)
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.timers import Timer
from ikeactors.wire.message import find, notifies, read_message
from ikeactors.wire.notify import MAX_COOKIE, MIN_COOKIE
from ikeactors.wire.payload import Notify, Payload, PuzzleSolution, SecurityAssociation
from ikeactors.wire.proposals import Proposal
from ikeactors.wire.puzzles import Puzzle, read_puzzle

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_auth import AuthInitiator

# Ours: keys that one step tries, some 30 ms of a worker.
SLICE = 8192
# Ours: seconds for one puzzle. A cookie is good for little more, and somebody waits for the tunnel.
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Demand:
    """A cookie that is to come back, and a puzzle that is to be solved."""

    cookie: bytes
    puzzle: Puzzle | None


def demand_of(payloads: Sequence[Payload]) -> Demand | None:
    """What an IKE_SA_INIT response demands, if it is nothing else. A puzzle may lack its cookie."""
    if find(payloads, SecurityAssociation) is not None:
        return None
    cookies = notifies(payloads, NotifyType.COOKIE)
    asked = notifies(payloads, NotifyType.PUZZLE)
    if not cookies and not asked:
        return None
    return Demand(cookies[0].data if cookies else b"", _puzzle(asked[0]) if asked else None)


def _puzzle(notify: Notify) -> Puzzle | None:
    """A malformed puzzle is as good as one that is not solved."""
    try:
        return read_puzzle(notify.data)
    except InvalidSyntax:
        return None


class Demands:
    """What was demanded last; `payloads` go at the front of the request."""

    __slots__ = ("_latest", "_patient_until", "_search", "payloads")

    def __init__(self) -> None:
        self._latest: Demand | None = None
        self._search: Search | None = None
        self._patient_until = 0.0
        self.payloads: tuple[Payload, ...] = ()

    @property
    def is_solving(self) -> bool:
        """Whether a puzzle is being solved."""
        return self._search is not None

    def follow(self, association: Association, demand: Demand, offer: tuple[Proposal, ...]) -> bool:
        """Do what is demanded; whether the request may go again at once."""
        if not MIN_COOKIE <= len(demand.cookie) <= MAX_COOKIE:
            association.drop("a puzzle without a cookie, or a cookie of a wrong length")
            return False
        if demand == self._latest or self.is_solving:
            association.drop("a demand that we have met, or one more while we meet another")
            return False
        self._latest = demand
        self.payloads = (Notify(NotifyType.COOKIE, demand.cookie),)
        self._search = _search(association, demand, offer)
        if self._search is None:
            return True
        association.timers.stop(Timer.RETRANSMIT)
        association.timers.start(Timer.PUZZLE, association.now)
        self._patient_until = association.now + PATIENCE
        return False

    def solve(self, association: Association) -> bool:
        """Try some keys; whether the request may go again, with the solution or without it."""
        if self._search is None:
            return False
        self._search = search = self._search.further(SLICE)
        if search.is_done:
            self.payloads = (*self.payloads, PuzzleSolution(search.keys))
        elif association.now < self._patient_until:
            association.timers.start(Timer.PUZZLE, association.now)
            return False
        else:
            _report_unsolved(association, f"is not solved after {PATIENCE:g} s")
        self._search = None
        return True


def puzzle_of_auth(
    association: Association, theirs: Sequence[Payload], offer: Sequence[Proposal]
) -> Puzzle | None:
    """A puzzle for IKE_AUTH: only for who has solved one before (RFC 8019 section 7.2.1)."""
    if find(theirs, PuzzleSolution) is None:
        return None
    difficulty, prf = association.surroundings.auth_difficulty(), choose_prf(offer)
    return Puzzle(prf, difficulty) if difficulty and prf is not None else None


class AuthWork:
    """The puzzle of IKE_AUTH on its way to its solution; `first` waits for it.

    Without the solution IKE_AUTH would not be answered, so there is no end of patience: the
    responder forgets us when it likes.
    """

    __slots__ = ("_search", "first")

    def __init__(self, search: Search, first: AuthInitiator) -> None:
        self._search = search
        self.first = first

    def solve(self, association: Association) -> None:
        """Try some keys; with the last one IKE_AUTH begins."""
        self._search = search = self._search.further(SLICE)
        if not search.is_done:
            association.timers.start(Timer.PUZZLE, association.now)
            return
        self.first.solution = (PuzzleSolution(search.keys),)
        association.ike_sa.ask(association, self.first)


def work_of(
    association: Association, transcript: Transcript, first: AuthInitiator
) -> AuthWork | None:
    """The work that the responder asks for before IKE_AUTH, if any.

    Raises InvalidSyntax where it is none, or more than we are willing to do.
    """
    answer = read_message(transcript.response)
    asked = notifies(answer.payloads, NotifyType.PUZZLE)
    if not asked:
        return None
    puzzle, limit = read_puzzle(asked[0].data), association.surroundings.puzzle_max_difficulty
    if puzzle.prf not in offered_prfs(association.connection.proposals):
        raise InvalidSyntax("its puzzle is of a PRF that we did not offer")
    if not 0 < puzzle.difficulty <= limit:
        raise InvalidSyntax(
            f"its puzzle has {puzzle.difficulty} bits, and puzzle_max_difficulty is {limit}"
        )
    association.report(
        "puzzle-received",
        f"the peer {association.remote} asks for a puzzle of {puzzle.difficulty} bits to be solved "
        f"before IKE_AUTH",
    )
    seed = int.from_bytes(association.surroundings.entropy.octets(KEY_OCTETS), "big")
    text = auth_text(transcript.nonce_r, answer.spi_r)
    return AuthWork(Search(prf_for(puzzle.prf), text, puzzle.difficulty, seed), first)


def _search(association: Association, demand: Demand, offer: tuple[Proposal, ...]) -> Search | None:
    """How to solve it, if there is anything to solve and we are willing to."""
    puzzle, limit = demand.puzzle, association.surroundings.puzzle_max_difficulty
    if puzzle is None:
        return None
    if puzzle.prf not in offered_prfs(offer):
        _report_unsolved(association, "is of a PRF that we did not offer")
        return None
    difficulty = puzzle.difficulty or limit
    if difficulty > limit or not limit:
        _report_unsolved(
            association, f"has {difficulty} bits, and puzzle_max_difficulty is {limit}"
        )
        return None
    association.report(
        "puzzle-received",
        f"the peer {association.remote} asks for a puzzle of {difficulty} bits to be solved",
    )
    seed = int.from_bytes(association.surroundings.entropy.octets(KEY_OCTETS), "big")
    return Search(prf_for(puzzle.prf), demand.cookie, difficulty, seed)


def _report_unsolved(association: Association, why: str) -> None:
    association.report(
        "puzzle-unsolved",
        f"the puzzle of the peer {association.remote} {why}: trying without its solution",
        Level.WARNING,
    )
