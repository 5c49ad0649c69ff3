"""A responder that asks for work before IKE_AUTH, and the initiator that does it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.crypto.prf import prf_for
from ikeactors.iana import PayloadType, Prf
from ikeactors.protocol.ikev2.admission import AUTH_DIFFICULTY, AdmissionLimits
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.protocol.ikev2.puzzles import auth_text, solved_bits
from ikeactors.wire.header import HEADER_LENGTH, read_header
from ikeactors.wire.message import find
from ikeactors.wire.payload import PuzzleSolution, read_payloads
from tests.pair import EAST, WEST, Flight, Pair, child, connection, selectors
from tests.protocol.ikev2.test_demands import door, pass_door

EASY = 9


def asking(difficulty: int = EASY, *, limit: int = 16, children: int = 1) -> Pair:
    """East asks for work in both exchanges; west has passed the door with its first solution."""
    many = tuple(child(f"net{number}", local_ts=selectors(*NETWORKS)) for number in range(children))
    pair = Pair(connection(children=many, fragment_size=576))
    around = replace(pair._surroundings["east"], auth_difficulty=lambda: difficulty)
    pair._surroundings["east"] = around
    pair.east.association = pair.responder()
    willing = replace(pair._surroundings["west"], puzzle_max_difficulty=limit)
    pair.west.association = Association.initiating(
        pair.west_settings, pair.west.association.connection, WEST, EAST, willing
    )
    pair.initiate()
    pass_door(pair, door())
    return pair


NETWORKS = [f"10.1.{number}.0/24" for number in range(40)]


def solve(pair: Pair) -> None:
    """Let west work until it says something."""
    while not pair.flights and not pair.west.association.closed:
        pair.to_next_timer()


def solution_in(flight: Flight) -> PuzzleSolution | None:
    octets = flight.datagram.octets
    header = read_header(octets)
    payloads = read_payloads(header.next_payload, octets, HEADER_LENGTH, header.length)
    return find(payloads, PuzzleSolution)


def test_ike_auth_begins_with_the_solution_of_a_puzzle() -> None:
    """(RFC 8019 section 7.2)"""
    pair = asking()
    assert isinstance(pair.west.association.phase, Authenticating)
    assert not pair.flights
    assert pair.west.association.needs_worker(None)
    solve(pair)
    assert solution_in(pair.flights[0]) is not None
    pair.settle()
    assert pair.west.association.established
    assert pair.east.association.established
    pair.assert_mirrored()


def test_the_solution_is_of_the_responders_nonce_and_spi() -> None:
    """(RFC 8019 section 7.2.3)"""
    pair = asking()
    solve(pair)
    phase = pair.east.association.phase
    assert isinstance(phase, InitAnswered)
    solution = solution_in(pair.flights[0])
    assert solution is not None
    text = auth_text(phase.transcript.nonce_r, phase.spis.spi_r)
    assert solved_bits(prf_for(Prf.HMAC_SHA2_256), text, solution.keys) >= EASY


def test_the_solution_stands_in_the_first_fragment_alone() -> None:
    """(RFC 8019 section 7.2.2)"""
    pair = asking()
    solve(pair)
    assert len(pair.flights) > 1
    found = [solution_in(flight) is not None for flight in pair.flights]
    assert found == [True] + [False] * (len(found) - 1)
    assert all(len(flight.datagram.octets) <= 576 - 28 for flight in pair.flights)
    pair.settle()
    assert pair.east.association.established


def test_the_solution_is_in_clear_and_its_octets_are_protected() -> None:
    pair = asking()
    solve(pair)
    octets = bytearray(pair.flights[0].datagram.octets)
    assert octets[16] == PayloadType.PS
    octets[HEADER_LENGTH + 1] ^= 0x01
    pair.flights[0].datagram = replace(pair.flights[0].datagram, octets=bytes(octets))
    pair.settle()
    assert not pair.east.association.established
    pair.pass_time(10)
    assert pair.east.association.established


@pytest.mark.parametrize("way", ["without", "wrong"])
def test_without_a_solution_no_key_is_computed(way: str) -> None:
    """(RFC 8019 section 7.2.4)"""
    pair = asking()
    solve(pair)
    octets = bytearray(pair.flights[0].datagram.octets)
    if way == "without":
        length = int.from_bytes(octets[HEADER_LENGTH + 2 : HEADER_LENGTH + 4], "big")
        octets[16] = octets[HEADER_LENGTH]
        del octets[HEADER_LENGTH : HEADER_LENGTH + length]
        octets[24:28] = len(octets).to_bytes(4, "big")
    else:
        octets[HEADER_LENGTH + 4] ^= 0xFF
    changed = replace(pair.flights[0].datagram, octets=bytes(octets))
    good = list(pair.flights)
    pair.give(pair.east, changed)
    assert isinstance(pair.east.association.phase, InitAnswered)
    assert "not solved" in pair.east.said("message-dropped")[-1].text
    pair.flights[:] = good
    pair.settle()
    assert pair.east.association.established


def test_who_solved_nothing_before_is_asked_for_nothing() -> None:
    """(RFC 8019 section 7.2.1)"""
    pair = Pair()
    around = replace(pair._surroundings["east"], auth_difficulty=lambda: EASY)
    pair._surroundings["east"] = around
    pair.east.association = pair.responder()
    pair.establish()
    assert not any("PUZZLE" in line for line in pair.trace)


@pytest.mark.parametrize(("difficulty", "limit"), [(14, 13), (200, 16)])
def test_a_puzzle_that_is_too_hard_ends_the_attempt(difficulty: int, limit: int) -> None:
    pair = asking(difficulty, limit=limit)
    assert pair.west.association.closed
    assert f"{difficulty} bits" in pair.west.association.failure


def test_ike_auth_is_never_harder_than_what_comes_before() -> None:
    limits = AdmissionLimits(puzzle_threshold=10, puzzle_difficulty=14)
    assert limits.auth_difficulty_among(5) == 0
    assert limits.auth_difficulty_among(10) == AUTH_DIFFICULTY
    easy = AdmissionLimits(puzzle_threshold=10, puzzle_difficulty=9)
    assert easy.auth_difficulty_among(10) == 9
