"""Puzzles: what is found is a solution, by another reckoning too, and nothing else is."""

from __future__ import annotations

import hashlib
import hmac
from itertools import permutations

import pytest

from ikeactors import iana
from ikeactors.crypto.prf import prf_for
from ikeactors.iana import ProtocolId
from ikeactors.protocol.ikev2.puzzles import Search, choose_prf, solved_bits, zero_bits
from ikeactors.wire.proposals import Proposal
from tests.pair import ike

COOKIE = bytes.fromhex("739ae7492d8a810cf5e8dc0f9626c9dda773c5a3")
PRF = prf_for(iana.Prf.HMAC_SHA2_256)


def solved(difficulty: int, number: iana.Prf = PRF.id, seed: int = 0) -> Search:
    search = Search(prf_for(number), COOKIE, difficulty, seed)
    while not search.is_done:
        search = search.further(512)
    return search


@pytest.mark.parametrize(
    ("octets", "bits"),
    [("", 0), ("01", 0), ("80", 7), ("0100", 8), ("ff0000", 16), ("0000", 16), ("30", 4)],
)
def test_zero_bits_are_counted_from_the_end(octets: str, bits: int) -> None:
    assert zero_bits(bytes.fromhex(octets)) == bits


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (iana.Prf.HMAC_SHA1, "sha1"),
        (iana.Prf.HMAC_SHA2_256, "sha256"),
        (iana.Prf.HMAC_SHA2_384, "sha384"),
        (iana.Prf.HMAC_SHA2_512, "sha512"),
    ],
)
def test_another_reckoning_agrees_about_a_solution(number: iana.Prf, name: str) -> None:
    """The keys of table 1 of RFC 8019 do not solve its puzzle, so it is no vector."""
    keys = solved(9, number).keys
    assert len(set(keys)) == 4
    for key in keys:
        output = hmac.new(key, COOKIE, getattr(hashlib, name)).digest()
        assert f"{int.from_bytes(output, 'big'):b}".endswith("0" * 9)


def test_a_key_is_found_where_another_reckoning_finds_it() -> None:
    found = []
    number = 0
    while len(found) < 4:
        key = number.to_bytes(4, "big")
        if hmac.new(key, COOKIE, hashlib.sha256).digest()[-1] == 0:
            found.append(key)
        number += 1
    assert solved(8).keys == tuple(found)


@pytest.mark.parametrize("number", [iana.Prf.AES128_XCBC, iana.Prf.AES128_CMAC])
def test_puzzles_of_other_prfs_are_solved(number: iana.Prf) -> None:
    assert solved_bits(prf_for(number), COOKIE, solved(4, number).keys) >= 4


def test_keys_are_counted_on_over_their_end() -> None:
    keys = solved(2, seed=2**32 - 3).keys
    assert {len(key) for key in keys} == {4}
    assert solved_bits(PRF, COOKIE, keys) >= 2


def test_the_worst_key_is_what_counts() -> None:
    """(RFC 8019 section 7.1.4)"""
    good = solved(9).keys
    bad = next(bytes((n,)) * 4 for n in range(9) if PRF.compute(bytes((n,)) * 4, COOKIE)[-1] & 1)
    for keys in permutations((*good[:3], bad)):
        assert solved_bits(PRF, COOKIE, keys) == 0
    assert solved_bits(PRF, COOKIE, good) >= 9
    assert solved_bits(PRF, COOKIE + b"\0", good) < 9


def test_equal_keys_and_long_keys_are_no_solution() -> None:
    """(RFC 8019 section 8.2)"""
    good = solved(9).keys
    assert solved_bits(PRF, COOKIE, (good[0], *good[:3])) == 0
    long = tuple(key + bytes(33 - len(key)) for key in good)
    # To an HMAC a key with zeros behind it is the same one.
    assert solved_bits(PRF, COOKIE, tuple(key + bytes(28) for key in good)) >= 9
    assert solved_bits(PRF, COOKIE, long) == 0


def test_a_prf_is_chosen_that_was_offered() -> None:
    """(RFC 8019 section 7.1.1.2)"""

    def chosen(*words: str) -> iana.Prf | None:
        offer = [
            Proposal(number, ProtocolId.IKE, b"", one.transforms)
            for number, one in enumerate(ike(*words), 1)
        ]
        return choose_prf(offer)

    assert chosen("aes128gcm16-prfsha1-prfsha256-x25519") is iana.Prf.HMAC_SHA2_256
    assert chosen("aes128gcm16-prfsha1-x25519", "aes128gcm16-prfsha512-x25519") is (
        iana.Prf.HMAC_SHA2_512
    )
    assert chosen("aes128gcm16-prfaescmac-x25519") is iana.Prf.AES128_CMAC
    assert choose_prf(()) is None
