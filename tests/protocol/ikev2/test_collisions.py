"""The rules by which crossing exchanges are told apart; whole collisions are in `collisions/`."""

from __future__ import annotations

import pytest

from ikeactors.protocol.ikev2.collisions import FRESH_PATIENCE, MAX_REMEMBERED, NoncePair, Patience


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (NoncePair(b"\1" * 16, b"\4" * 16), NoncePair(b"\2" * 16, b"\3" * 16)),
        (NoncePair(b"\4" * 16, b"\1" * 16), NoncePair(b"\2" * 16, b"\3" * 16)),
        (NoncePair(b"\1" * 16, b"\4" * 16), NoncePair(b"\3" * 16, b"\2" * 16)),
        (NoncePair(b"\1" * 16, b"\4" * 32), NoncePair(b"\1" * 17, b"\4" * 32)),
        (NoncePair(b"\1\xff", b"\4"), NoncePair(b"\2\0", b"\3")),
    ],
    ids=["of i", "of r", "of i and r", "shorter", "octet by octet"],
)
def test_the_exchange_with_the_lowest_nonce_loses(ours: NoncePair, theirs: NoncePair) -> None:
    """(RFC 7296 section 2.8.1)"""
    assert ours.loses_to(theirs)
    assert not theirs.loses_to(ours)


def test_an_exchange_does_not_lose_to_the_same_nonces() -> None:
    pair = NoncePair(b"\1" * 16, b"\2" * 16)
    assert not pair.loses_to(pair)


def test_each_wait_is_twice_the_last_up_to_a_minute() -> None:
    """(RFC 7296 section 2.25)"""
    patience, waits = FRESH_PATIENCE, []
    for _ in range(6):
        patience = patience.tried(1000.0)
        waits.append(patience.wait(0.0))
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert FRESH_PATIENCE.wait(0.0) == 5.0


def test_waits_are_spread_so_that_two_ends_do_not_meet_again() -> None:
    assert FRESH_PATIENCE.tried(0.0).wait(0.5) == 7.5
    assert FRESH_PATIENCE.tried(0.0).wait(1.0) == 10.0


def test_refusals_without_end_are_waited_for_no_longer() -> None:
    assert Patience(0.0, 100_000).wait(0.0) == 60.0


def test_patience_is_over_after_five_minutes_of_refusals() -> None:
    patience = FRESH_PATIENCE.tried(1000.0)
    assert not patience.is_over(1300.0)
    assert patience.is_over(1300.5)
    assert patience.tried(1200.0).is_over(1300.5)


def test_patience_that_was_not_asked_for_is_not_over() -> None:
    assert not FRESH_PATIENCE.is_over(1_000_000.0)


def test_few_deletes_are_remembered() -> None:
    """Of thousands only as many, see `test_a_delete_of_very_many_is_quick_and_remembers_few`."""
    assert MAX_REMEMBERED == 16
