"""Uniqueness of identities: who is granted, who has to go."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.actors.claims import Claims, Verdict
from ikeactors.protocol.actions import ClaimIdentity
from ikeactors.protocol.settings import Unique
from ikeactors.wire.identities import Identity

US = Identity.from_text("a.lab")
THEM = Identity.from_text("b.lab")


def claim(
    unique: Unique, *, initial_contact: bool = False, remote: Identity = THEM
) -> ClaimIdentity:
    return ClaimIdentity(1, US, remote, unique, initial_contact)


@pytest.mark.parametrize(
    ("unique", "initial_contact", "verdict"),
    [
        (Unique.NO, False, Verdict(True)),
        (Unique.NO, True, Verdict(True, (1,), silent=True)),
        (Unique.REPLACE, False, Verdict(True, (1,), silent=False)),
        (Unique.REPLACE, True, Verdict(True, (1,), silent=True)),
        (Unique.KEEP, False, Verdict(False)),
        (Unique.KEEP, True, Verdict(True, (1,), silent=True)),
        (Unique.NEVER, False, Verdict(True)),
        (Unique.NEVER, True, Verdict(True)),
    ],
)
def test_a_second_association_between_two_identities(
    unique: Unique, initial_contact: bool, verdict: Verdict
) -> None:
    claims = Claims()
    assert claims.claim(1, claim(unique)) == Verdict(True)
    assert claims.claim(2, claim(unique, initial_contact=initial_contact)) == verdict


def test_other_identities_do_not_matter() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.REPLACE))
    other = claim(Unique.REPLACE, remote=Identity.from_text("c.lab"))
    assert claims.claim(2, other) == Verdict(True)


def test_names_are_the_same_in_any_case() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.KEEP))
    shouted = Identity.from_text("B.LAB")
    assert not claims.claim(2, claim(Unique.KEEP, remote=shouted)).granted


def test_who_is_gone_stands_in_nobodys_way() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.KEEP))
    claims.release(1)
    claims.release(1)
    assert claims.claim(2, claim(Unique.KEEP)).granted
    claims.release(2)
    assert len(claims) == 0


def test_who_was_superseded_is_superseded_once() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.REPLACE))
    assert claims.claim(2, claim(Unique.REPLACE)).superseded == (1,)
    assert claims.claim(3, claim(Unique.REPLACE)).superseded == (2,)
    claims.release(1)
    assert len(claims) == 1


def test_an_association_that_claims_again_does_not_supersede_itself() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.REPLACE))
    assert claims.claim(1, claim(Unique.REPLACE)) == Verdict(True)
    assert len(claims) == 1


def crossing(initiated: bool, began_at: float, claimed_at: float, nonce: bytes) -> ClaimIdentity:
    return ClaimIdentity(1, US, THEM, Unique.REPLACE, True, initiated, began_at, claimed_at, nonce)


@pytest.mark.parametrize("west_has_lowest", [True, False])
@pytest.mark.parametrize("west_first_at_west", [True, False])
@pytest.mark.parametrize("west_first_at_east", [True, False])
def test_both_ends_initiate_at_once_and_keep_the_same(
    west_has_lowest: bool, west_first_at_west: bool, west_first_at_east: bool
) -> None:
    """Whatever comes to stand first, and whatever INITIAL_CONTACT says."""
    nonces = {"west": b"\x01", "east": b"\x02"}
    if not west_has_lowest:
        nonces = {"west": b"\x02", "east": b"\x01"}
    gone = set()
    for end, west_first in (("west", west_first_at_west), ("east", west_first_at_east)):
        claims, numbers = Claims(), {"west": 1, "east": 2}
        for at, maker in enumerate(("west", "east") if west_first else ("east", "west")):
            claim = crossing(maker == end, 0.0, at + 1.0, nonces[maker])
            verdict = claims.claim(numbers[maker], claim)
            assert verdict.granted
            assert not verdict.superseded
            gone |= {(end, number) for number in verdict.yielding}
    assert gone == ({("west", 1)} if west_has_lowest else {("east", 2)})


def test_one_that_began_when_the_other_stood_replaces_it() -> None:
    claims = Claims()
    claims.claim(1, crossing(True, 0.0, 1.0, b"\x02"))
    verdict = claims.claim(2, crossing(False, 1.5, 2.0, b"\x01"))
    assert verdict == Verdict(True, (1,), silent=True)


@pytest.mark.parametrize("place, yielding", [("192.0.2.2", (1,)), ("192.0.2.3", ())])
def test_where_several_peers_have_one_identity_the_one_at_the_same_address_is_crossed(
    place: str, yielding: tuple[int, ...]
) -> None:
    claims = Claims()
    for number, (initiated, nonce, address) in enumerate(
        ((True, b"\x01", "192.0.2.2"), (False, b"\x02", place)), start=1
    ):
        claim = ClaimIdentity(
            *(number, US, THEM, Unique.NEVER, False, initiated, 0.0, float(number), nonce),
            ip_address(address),
        )
        verdict = claims.claim(number, claim)
    assert verdict == Verdict(True, yielding=yielding)


def test_who_yields_is_told_to_whom() -> None:
    claims = Claims()
    claims.claim(1, crossing(False, 0.0, 1.0, b"\x02"))
    verdict = claims.claim(2, crossing(True, 0.0, 2.0, b"\x01"))
    assert verdict == Verdict(True, yielding=(2,), survivor=1)


@pytest.mark.parametrize("unique", list(Unique))
def test_who_reauthenticates_is_granted_beside_the_older(unique: Unique) -> None:
    """The peer deletes the old IKE SA itself, later (RFC 7296 section 2.8.3)."""
    claims = Claims()
    claims.claim(1, claim(unique))
    verdict = claims.claim(2, claim(unique), lambda older: older == 1)
    assert verdict == Verdict(True, renewed=(1,))
    assert claims.release(1) == (2,)


def test_initial_contact_is_no_reauthentication() -> None:
    claims = Claims()
    claims.claim(1, claim(Unique.NO))
    verdict = claims.claim(2, claim(Unique.NO, initial_contact=True), lambda _: True)
    assert verdict == Verdict(True, (1,), silent=True)


def peers(count: int, *, behind: int = 0, unique: Unique = Unique.NEVER) -> Claims:
    """Many peers of one identity: each at an address of its own, or all behind one."""
    claims = Claims()
    for number in range(1, count + 1):
        claims.claim(number, somewhere(behind or number, unique))
    return claims


def somewhere(place: int, unique: Unique = Unique.NEVER, **changes: object) -> ClaimIdentity:
    address = ip_address(0x0A000000 + place)
    return replace(claim(unique), place=address, **changes)


@pytest.mark.parametrize("behind", [0, 1])
def test_thousands_of_one_identity_cost_each_other_nothing(behind: int) -> None:
    """What is asked about each new one and each that goes does not grow with their number."""
    asked: list[int] = []

    def is_renewed(number: int) -> bool:
        asked.append(number)
        return False

    claims = peers(5000, behind=behind)
    assert claims.claim(5001, somewhere(behind or 77), is_renewed) == Verdict(True)
    assert len(asked) <= 16
    assert len(claims.release(5001)) <= 16
    assert len(claims) == 5000
    assert claims.stands(US, THEM)
    for number in range(1, 5001):
        claims.release(number)
    assert len(claims) == 0
    assert not claims.stands(US, THEM)


def test_the_latest_at_an_address_are_looked_at() -> None:
    claims = peers(100, behind=1)
    verdict = claims.claim(101, somewhere(1), lambda number: number > 98)
    assert verdict.renewed == (99, 100)


def test_who_has_moved_is_met_where_it_is() -> None:
    claims = peers(3)
    claims.move(2, ip_address("192.0.2.7"))
    claims.move(9, ip_address("192.0.2.7"))
    there = replace(somewhere(0), place=ip_address("192.0.2.7"))
    assert claims.claim(4, there, lambda number: True).renewed == (2,)
    assert claims.claim(5, somewhere(2), lambda number: True).renewed == ()


def test_ours_renews_its_predecessor_wherever_that_is() -> None:
    claims = peers(3)
    verdict = claims.claim(
        4, somewhere(9, initiated=True), lambda number: number == 2, predecessor=2
    )
    assert verdict.renewed == (2,)


def test_one_that_is_to_be_alone_replaces_all_of_its_identity() -> None:
    claims = peers(3)
    assert claims.claim(4, somewhere(9, Unique.REPLACE)).superseded == (1, 2, 3)
    assert 4 in claims
    assert len(claims) == 1
