"""Puzzles on the wire: the PUZZLE notify's data and the PS payload (RFC 8019 section 8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import Prf

SOLUTION_KEYS = 4

_PUZZLE = struct.Struct("!HB")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """What the responder wants: zero bits at the end of this function's output. `difficulty` 0
    leaves their number to the initiator."""

    prf: Prf
    difficulty: int


@dataclass(frozen=True, slots=True)
class PuzzleSolution:
    """PS: four keys of one length."""

    keys: tuple[bytes, ...]


def read_puzzle(data: bytes) -> Puzzle:
    """The data of a PUZZLE notify."""
    if len(data) != _PUZZLE.size:
        raise InvalidSyntax("the data of a PUZZLE notify has three octets")
    number, difficulty = _PUZZLE.unpack(data)
    return Puzzle(Prf(number), difficulty)


def write_puzzle(puzzle: Puzzle) -> bytes:
    """The data of a PUZZLE notify."""
    return _PUZZLE.pack(puzzle.prf, puzzle.difficulty)


def read_solution(body: bytes) -> PuzzleSolution:
    """The body of a PS payload."""
    size, rest = divmod(len(body), SOLUTION_KEYS)
    if rest or not size:
        raise InvalidSyntax("a puzzle's solution is not four keys of one length")
    return PuzzleSolution(tuple(body[at : at + size] for at in range(0, len(body), size)))


def write_solution(solution: PuzzleSolution) -> bytes:
    """The body of a PS payload."""
    return b"".join(solution.keys)
