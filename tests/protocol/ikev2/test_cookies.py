"""Cookies: whom they are good for, what they remember, how often a solution is."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ikeactors.iana import Prf
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.cookies import MAX_SPENT, MAX_USES, Asker, Cookies
from ikeactors.wire.notify import MAX_COOKIE
from ikeactors.wire.puzzles import Puzzle
from tests.pair import WEST, SeededEntropy

ASKER = Asker(b"initiatr", WEST, bytes(range(32)))
PUZZLE = Puzzle(Prf.HMAC_SHA2_256, 14)


def cookies() -> Cookies:
    return Cookies(SeededEntropy("cookies"))


def test_a_cookie_remembers_its_puzzle() -> None:
    """(RFC 8019 section 7.1.1.3)"""
    jar = cookies()
    cookie = jar.make(ASKER, PUZZLE, 5.0)
    assert len(cookie) <= MAX_COOKIE
    assert jar.given_with(cookie, ASKER, 64.0) == PUZZLE
    assert jar.given_with(jar.make(ASKER, None, 70.0), ASKER, 70.0) == Puzzle(Prf(0), 0)


def test_only_puzzles_make_cookies_differ_with_time() -> None:
    jar = cookies()
    assert jar.make(ASKER, None, 1.0) == jar.make(ASKER, None, 9.0)
    assert jar.make(ASKER, PUZZLE, 1.0) != jar.make(ASKER, PUZZLE, 9.0)


@given(st.integers(0, 36), st.integers(1, 255))
def test_no_octet_of_a_cookie_may_change(at: int, change: int) -> None:
    jar = cookies()
    cookie = bytearray(jar.make(ASKER, PUZZLE, 0.0))
    cookie[at] ^= change
    assert jar.given_with(bytes(cookie), ASKER, 0.0) is None


@given(st.binary(max_size=64))
def test_no_octets_of_a_stranger_are_a_cookie(octets: bytes) -> None:
    jar = cookies()
    assert jar.given_with(octets, ASKER, 0.0) is None
    jar.make(ASKER, PUZZLE, 0.0)
    assert jar.given_with(octets, ASKER, 0.0) is None


def test_a_cookie_for_an_ipv6_address_is_none_for_the_ipv4_address_at_its_end() -> None:
    """J2"""
    jar = cookies()
    wide = Endpoint(ip_address("2001:db8::192.0.2.1"), 500)
    assert wide.address.packed[-4:] == WEST.address.packed
    cookie = jar.make(replace(ASKER, remote=wide), None, 0.0)
    for nonce in (ASKER.nonce, ASKER.nonce + wide.address.packed[:12]):
        assert jar.given_with(cookie, replace(ASKER, nonce=nonce), 0.0) is None


def test_a_solution_is_used_up() -> None:
    """(RFC 8019 section 10)"""
    jar = cookies()
    uses = [jar.spend(b"solved") for _ in range(MAX_USES + 2)]
    assert uses == [True] * MAX_USES + [False] * 2
    assert jar.spend(b"another")


def test_only_so_many_solutions_are_counted() -> None:
    jar = cookies()
    for number in range(MAX_SPENT + 500):
        assert jar.spend(number.to_bytes(4, "big"))
    assert len(jar._spent) == MAX_SPENT
