"""tools/mutate: what it changes, what it lists, and that a change in each file is noticed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tools.scripts import PROJECT, loaded

mutate = loaded("tools/mutate")

SOURCE = '''\
"""A docstring."""

import enum

LIMIT = 4


class Window:
    __slots__ = ("size",)

    def take(self, now: float, name: str = "x") -> int:
        """Not this one."""
        if self.size > LIMIT and not now:
            raise ValueError
        self.size += 1
        return min(self.size, (now + 1) * 2)
'''
CHANGES = [
    ("LIMIT = 4", ["LIMIT = 5", "pass"]),
    ('def take(self, now: float, name: str = "x") -> int:', ["name: str = 'x?'"]),
    (
        "if self.size > LIMIT and not now:",
        [
            "if True:",
            "if False:",
            "if True and not now:",
            "if self.size >= LIMIT",
            "if self.size <= LIMIT",
            "LIMIT or not",
            "LIMIT and True:",
            "and now:",
        ],
    ),
    ("raise ValueError", ["pass"]),
    ("self.size += 1", ["self.size -= 1", "self.size += 2", "pass"]),
    (
        "return min(self.size, (now + 1) * 2)",
        ["return None", "max(", "(now - 1) * 2", "(now + 2) * 2", "(now + 1) / 2", "* 3)"],
    ),
]


def test_every_operator_number_condition_and_statement_is_changed() -> None:
    found: dict[str, list[str]] = {}
    for mutant in mutate.mutants("window.py", SOURCE):
        was, becomes = mutant.lines(SOURCE)
        found.setdefault(was, []).append(becomes)
    assert set(found) == {was for was, _ in CHANGES}
    for was, expected in CHANGES:
        assert len(found[was]) == len(expected)
        assert all(any(one in line for line in found[was]) for one in expected), found[was]


def test_a_change_is_one_line_of_the_patch() -> None:
    first = next(mutate.mutants("window.py", SOURCE))
    assert [line for line in mutate.difference(first, SOURCE).splitlines() if line[0] in "+-"][
        2:
    ] == ["-LIMIT = 4", "+pass"]


def test_what_makes_no_difference_is_told_by_its_line_and_function() -> None:
    mutant = next(one for one in mutate.mutants("window.py", SOURCE) if one.text == " -= ")
    entry = {"was": "self.size += 1", "becomes": "self.size -= 1", "reason": "none"}
    assert mutate.matches(entry, mutant, SOURCE)
    assert mutate.matches(entry | {"within": "take"}, mutant, SOURCE)
    assert not mutate.matches(entry | {"within": "give"}, mutant, SOURCE)
    assert not mutate.matches(entry | {"becomes": "pass"}, mutant, SOURCE)


@pytest.mark.parametrize("file", mutate.COVERING)
def test_what_is_listed_as_making_no_difference_is_a_change_and_has_a_reason(file: str) -> None:
    source = (PROJECT / file).read_text()
    changes = list(mutate.mutants(file, source))
    for entry in mutate.equivalents(file):
        assert any(mutate.matches(entry, mutant, source) for mutant in changes), entry
        assert entry["reason"]


def test_one_change_of_each_file_is_noticed() -> None:
    argv = [sys.executable, str(PROJECT / "tools/mutate"), "--every", "1000"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 killed, 0 survived, ")
