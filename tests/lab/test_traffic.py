"""Which pings are missing, as it is told where none may be."""

from __future__ import annotations

from tests.lab.traffic import _gaps


def test_what_is_missing_is_told_with_the_time_between_the_answers_around_it() -> None:
    answers = {2: 10.0, 3: 10.02, 7: 10.5}
    assert list(_gaps(answers, 9)) == ["1 to 1", "4 to 6 (0.480 s from 10.020)", "8 to 9"]


def test_nothing_is_told_where_all_are_answered() -> None:
    assert list(_gaps({1: 0.5, 2: 0.75}, 2)) == []
