"""docs/_ext/from_code.py: what the documentation takes from the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import PROJECT, loaded

from_code = loaded("docs/_ext/from_code.py")

DESIGN = (PROJECT / "docs/design.rst").read_text()

MODULE = '''\
"""A module."""

# The specification's: never more.
MAX_MESSAGE_ID = 0xFFFFFFFF

# Ours: how long we wait, spread so that two ends
# do not meet again.
RETRY_AFTER = 5.0
RETRY_SPREAD = 2 * 5.0

# Not a number.
NAME = "west"
FOLLOWER = 1

PATIENCE = Intensity(restarts=5, period=60.0)
# What a burst needs.
BUFFER = 4 << 20
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(from_code, "PACKAGE", tmp_path)
    file = tmp_path / "wire" / "waiting.py"
    file.parent.mkdir()
    file.write_text(MODULE)
    return file


def test_our_limits_are_found_with_their_reasons(module: Path) -> None:
    found = {one.name: (one.value, one.reason) for one in from_code.limits_of(module)}
    reason = "How long we wait, spread so that two ends do not meet again."

    assert found == {
        "wire.waiting.RETRY_AFTER": ("5.0", reason),
        "wire.waiting.RETRY_SPREAD": ("10.0", reason),
        "wire.waiting.BUFFER": ("4_194_304", "What a burst needs."),
    }


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Seals it. Then sends.", "Seals it."),
        ("Is it\nalive?  (RFC 7296 section 2.4)\n\nMore.", "Is it alive? (RFC 7296 section 2.4)"),
    ],
)
def test_the_first_sentence_of_a_docstring(docstring: str, sentence: str) -> None:
    assert from_code.first_sentence(docstring) == sentence


def test_prose_is_escaped_but_for_what_is_quoted() -> None:
    assert from_code.literal("a `start_action` of x_y*") == r"a ``start_action`` of x\_y\*"


def test_a_deviation_is_read_to_the_end_of_its_paragraph() -> None:
    source = '# Deviation: one thing,\n# and why.\n\nX = 1\n"""Deviation: another.\n    Why."""\n'

    assert from_code.deviations_of(source) == ["one thing, and why.", "another. Why."]


@pytest.mark.parametrize("maker", ["compliance", "deviations", "limits", "phases"])
def test_what_needs_no_argument_is_made_of_the_source(maker: str) -> None:
    assert ".. list-table::" in from_code.MAKERS[maker]()


@pytest.mark.parametrize(
    ("path", "enum"),
    [
        ("ikeactors/protocol/ikev2/ike_sa.py", "IkeSaState"),
        ("ikeactors/protocol/ikev2/child_sa.py", "ChildState"),
    ],
)
def test_the_figures_of_the_design_show_every_state(path: str, enum: str) -> None:
    assert f".. from-code:: states {path} {enum}" in DESIGN
    for state in from_code.enum_members(PROJECT / path, enum):
        assert DESIGN.count(state) >= 1, f"{state} is missing in docs/design.rst"


def test_every_state_is_entered_somewhere() -> None:
    for path, enum in (("ike_sa.py", "IkeSaState"), ("child_sa.py", "ChildState")):
        assert "the beginning" not in from_code.states(f"ikeactors/protocol/ikev2/{path}", enum)
    assert "the beginning" not in from_code.phases()
