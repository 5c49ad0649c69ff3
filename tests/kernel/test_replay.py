"""The anti-replay window, held against a plain set of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.kernel.replay import Replayed, ReplayWindow


def comes(window: ReplayWindow, low: int) -> bool:
    """Whether an authentic packet with these low 32 bits is taken."""
    try:
        sequence = window.whole(low)
        window.check(sequence)
    except Replayed:
        return False
    window.accept(sequence)
    return True


def test_a_sequence_number_comes_once() -> None:
    window = ReplayWindow(32, esn=False)
    assert comes(window, 1)
    assert not comes(window, 1)


def test_zero_is_no_sequence_number() -> None:
    assert not comes(ReplayWindow(32, esn=False), 0)


def test_a_late_packet_within_the_window_comes_once_and_an_older_one_never() -> None:
    window = ReplayWindow(32, esn=False)
    assert [comes(window, low) for low in (100, 69, 69, 68)] == [True, True, False, False]


def test_width_zero_takes_repeated_numbers() -> None:
    window = ReplayWindow(0, esn=False)
    assert [comes(window, low) for low in (5, 5, 1)] == [True, True, True]


def test_the_largest_jump_costs_no_memory() -> None:
    window = ReplayWindow(4096, esn=False)
    assert comes(window, 1)
    assert comes(window, 0xFFFFFFFF)
    assert window._bitmap == 1


@given(st.lists(st.integers(1, 300), max_size=80), st.sampled_from([1, 32, 64, 100]))
def test_the_window_takes_what_a_set_of_the_latest_numbers_takes(
    numbers: list[int], width: int
) -> None:
    """(RFC 4303 section 3.4.3)"""
    window, seen = ReplayWindow(width, esn=False), set[int]()
    for number in numbers:
        expected = number not in seen and number > max(seen, default=0) - width
        assert comes(window, number) is expected
        if expected:
            seen.add(number)


@pytest.mark.parametrize(
    ("highest", "low", "whole"),
    [
        (0x1_0000_0100, 0x101, 0x1_0000_0101),
        (0x1_0000_0100, 0x0F0, 0x1_0000_00F0),
        (0x1_0000_0100, 0x010, 0x2_0000_0010),
        (0x1_0000_0005, 0xFFFF_FFF0, 0x0_FFFF_FFF0),
        (0x1_0000_0005, 0x0000_0006, 0x1_0000_0006),
        (0x1_FFFF_FFFF, 0x0000_0001, 0x2_0000_0001),
        (0x0_0000_0000, 0x0000_0001, 0x0_0000_0001),
    ],
)
def test_the_high_half_is_found_on_either_side_of_a_turn(
    highest: int, low: int, whole: int
) -> None:
    """(RFC 4303 appendix A2.2)"""
    window = ReplayWindow(32, esn=True)
    window.accept(highest)
    assert window.whole(low) == whole


def test_a_number_before_the_first_turn_does_not_exist() -> None:
    window = ReplayWindow(32, esn=True)
    window.accept(3)
    with pytest.raises(Replayed):
        window.whole(0xFFFFFFFE)


@given(st.integers(1, (1 << 40)), st.integers(-31, 1 << 31), st.sampled_from([32, 64]))
def test_any_number_near_the_highest_is_found_again(highest: int, offset: int, width: int) -> None:
    window = ReplayWindow(width, esn=True)
    window.accept(highest)
    sequence = max(highest + offset, 1)
    if sequence > highest - width:
        assert window.whole(sequence & 0xFFFFFFFF) == sequence
