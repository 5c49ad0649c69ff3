"""The table of cases is complete, and the tests it names are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.bad_input import test_authenticated, test_first_messages
from tests.bad_input.cases import CASES, FIRST, SAID, SECTIONS, NotYet

TESTS = Path(__file__).parents[1]
LIST = TESTS.parents[1] / "shared" / "reference" / "bad-input.md"
_ROW = re.compile(r"^\| ([A-L]\d+) \||(?<![\w./])([FHIKL]\d+) (?=[A-Z`~a-z])", re.MULTILINE)


@cache
def names_in(path: Path) -> frozenset[str]:
    """The tests of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in nodes if isinstance(node, kinds))


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_its_tests_or_a_reason(case: str) -> None:
    covered = CASES[case]
    if isinstance(covered, NotYet):
        assert covered.reason
        return
    assert covered
    for test in covered:
        file, _, name = test.partition("::")
        folder, _, stem = file.rpartition("/")
        assert f"test_{name}" in names_in(TESTS / folder / f"test_{stem}.py"), test


def test_rows_are_found_by_their_case() -> None:
    rows = {FIRST: test_first_messages.ROWS, SAID: test_authenticated.ROWS}
    for test, table in rows.items():
        named = {
            case
            for case, covered in CASES.items()
            if isinstance(covered, tuple) and test in covered
        }
        assert named - {"G17"} == {row.case for row in table}


@pytest.mark.skipif(not LIST.exists(), reason="../shared/reference is not there")
def test_every_case_of_the_list_is_in_the_table() -> None:
    found = {first or second for first, second in _ROW.findall(LIST.read_text())}
    listed = {case for case in found if case[0] not in SECTIONS}
    assert len(listed) > 130
    assert listed == set(CASES)
