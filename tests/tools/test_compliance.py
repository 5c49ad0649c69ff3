"""tools/compliance: which citations it reads, and to whom it gives them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.scripts import PROJECT, loaded

compliance = loaded("tools/compliance")
RFC = PROJECT.parent / "shared/rfc/rfc7296.txt"

MODULE = '''\
"""Windows (RFC 7296 sections 2.1 to 2.3).

More of it.
"""

import enum

# Ours: how long we wait (RFC 7296 section
# 2.4).
PATIENCE = 4.0


class Window(enum.Enum):
    """One of them."""

    # A comment above a member (RFC 7296 section 2.5).
    SMALL = 1

    @property
    def size(self) -> int:
        """How large (RFC 7296 section 2.6, RFC 9370)."""
        return 1


def seal(octets: bytes) -> bytes:
    return octets  # as the appendix says (RFC 4303 appendix A2.2)
'''
TEST = '''\
def test_windows_are_small():
    """(RFC 7296 section 2.3)"""
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one module and one test."""
    for path, text in {"ikeactors/wire/window.py": MODULE, "tests/test_window.py": TEST}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path


def places(project: Path) -> dict[str, tuple[list[str], list[str]]]:
    return {
        str(row.section): ([str(one) for one in row.implemented], [str(one) for one in row.tested])
        for row in compliance.rows_of(project)
    }


def test_a_citation_belongs_to_what_it_stands_in(project: Path) -> None:
    found = places(project)

    assert found["RFC 7296 section 2.1"] == (["wire.window"], [])
    assert found["RFC 7296 section 2.4"] == (["wire.window.PATIENCE"], [])
    assert found["RFC 7296 section 2.5"] == (["wire.window.Window.SMALL"], [])
    assert found["RFC 7296 section 2.6"] == (["wire.window.Window.size"], [])
    assert found["RFC 4303 appendix A2.2"] == (["wire.window.seal"], [])


def test_a_range_is_every_section_of_it(project: Path) -> None:
    found = places(project)

    assert found["RFC 7296 section 2.2"] == (["wire.window"], [])
    assert found["RFC 7296 section 2.3"] == (
        ["wire.window"],
        ["tests.test_window.test_windows_are_small"],
    )


@pytest.mark.parametrize(
    ("citation", "names"),
    [
        ("(RFC 7296 section 2.9)", ["2.9"]),
        ("(RFC 7296 sections 2.5, 2.6 and 2.21.4)", ["2.5", "2.6", "2.21.4"]),
        ("(RFC 7296 sections 2.21.2 to 2.21.4)", ["2.21.2", "2.21.3", "2.21.4"]),
        ("(RFC 7296 section\n# 3.3)", ["3.3"]),
        ("(RFC 7296 section 3.3.2, RFC 9370)", ["3.3.2"]),
        ("(RFC 8031 appendix A)", ["A"]),
    ],
)
def test_all_sections_of_a_citation_are_read(citation: str, names: list[str]) -> None:
    assert [section.name for section in compliance.sections_in(citation)] == names


def test_sections_come_in_the_order_of_the_document() -> None:
    names = ["2.10", "A2.2", "2.9", "2", "10"]
    sections = sorted(compliance.Section.of(7296, name) for name in names)

    assert [section.name for section in sections] == ["2", "2.9", "2.10", "10", "A2.2"]


def test_what_no_test_cites_is_listed_at_the_end(project: Path) -> None:
    text = compliance.document(compliance.rows_of(project))
    end = text.partition("cited by no test")[2]

    assert "RFC 7296 section 2.4" in end
    assert "RFC 7296 section 2.3" not in end


def test_a_citation_in_another_form_is_complained_of(project: Path) -> None:
    assert compliance.malformed(project) == []
    (project / "ikeactors/bad.py").write_text('"""See RFC 7296, section 2.9."""\n')

    assert compliance.malformed(project) == [
        "ikeactors/bad.py:1: 'RFC 7296, section 2.9.' is not read"
    ]


def test_the_source_has_no_citation_in_another_form() -> None:
    assert compliance.malformed(PROJECT) == []


def test_every_requirement_has_tests_or_a_reason() -> None:
    """A requirement is numbered within its section; its tests are there."""
    assert compliance.unmet(PROJECT) == []


def test_a_requirement_without_test_and_reason_is_complained_of(project: Path) -> None:
    table = project / compliance.REQUIREMENTS
    table.parent.mkdir()
    table.write_text(
        '["2.1-1"]\nsays = "a"\ntests = ["window::windows_are_small", "window::gone"]\n'
        '["2.1-2"]\nsays = "b"\n["2.1-3"]\nsays = "c"\nreason = "not here"\n'
    )
    assert compliance.unmet(project) == [
        "docs/requirements.toml: 2.1-1: there is no test window::gone",
        "docs/requirements.toml: 2.1-2 has tests or a reason, one of the two",
    ]


def test_requirements_are_shown_with_their_tests_or_the_reason() -> None:
    shown = compliance.Requirement("2.1-1", "this", ("window::windows_are_small",))
    text = compliance.document_requirements(
        [shown, compliance.Requirement("2.2-1", "that", (), "not here")]
    )
    assert "2 sentences" in text
    assert "1 of them are shown" in text
    assert "``window::windows_are_small``" in text
    assert "     - not here" in text


@pytest.mark.skipif(not RFC.exists(), reason="the text of RFC 7296 is not there")
def test_every_must_of_the_rfc_is_a_requirement() -> None:
    pages = re.sub(r"\n+Kaufman, et al\..*\n\f?\n?RFC 7296.*\n+", "\n\n", RFC.read_text())
    text = pages[
        pages.index("\n1.  Introduction\n", 9000) : pages.index("\n3.  Header and P", 9000)
    ]
    parts = re.split(r"^(\d(?:\.\d+)*)\.  \S", text, flags=re.MULTILINE)[1:]
    names: list[str] = []
    for section, body in zip(parts[::2], parts[1::2], strict=True):
        sentences = re.split(r'(?<=[.:;!])\s+(?=[A-Z("\-o])', " ".join(body.split()))
        musts = [one for one in sentences if re.search(r"\b(MUST|SHALL|REQUIRED)\b", one)]
        names += [f"{section}-{number}" for number in range(1, len(musts) + 1)]
    assert [one.name for one in compliance.requirements(PROJECT)] == names


def test_it_is_a_program_with_help() -> None:
    argv = [sys.executable, str(PROJECT / "tools/compliance"), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True)

    assert done.returncode == 0
    assert "--check" in done.stdout
