"""Text of others, on a line of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.printable import MAX_TEXT, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b.lab", "b.lab"),
        ("Straße", "Straße"),
        ("a\nb", "a\\x0ab"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egpj", "\\u202egpj"),
        ("\U000e0001", "\\U000e0001"),
        ("\ud800", "\\ud800"),
        ("x" * 300, "x" * MAX_TEXT + "..."),
    ],
)
def test_what_a_terminal_might_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(max_size=20))
def test_any_text_fits_a_line_and_is_escaped_once(text: str) -> None:
    shown = printable(text, 10_000)

    assert shown.isprintable()
    assert printable(shown, 100_000) == shown
