"""The secret of the tokens: made once, and refused where others can get at it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.token_secret import (
    FILE,
    SecretRefused,
    token_maker,
    token_of_unless_refused,
)
from ikeactors.protocol.actions import Report
from ikeactors.protocol.tokens import no_token


class Heard(ReportHub):
    """A hub that remembers."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.texts: list[str] = []

    def publish(self, report: Report, association: int = 0) -> None:
        self.texts.append(report.text)


def chance(count: int) -> bytes:
    return os.urandom(count)


def test_the_secret_is_made_once_and_read_from_then_on(tmp_path: Path) -> None:
    """(RFC 6290 section 5.1)"""
    first = token_maker(tmp_path, chance)
    assert token_maker(tmp_path, chance) == first
    assert [one.name for one in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_behind_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.new").write_bytes(b"half")
    assert len(token_maker(tmp_path, chance).secret) == 32


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    token_maker(tmp_path, chance)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(SecretRefused, match="chmod 600"):
        token_maker(tmp_path, chance)


@pytest.mark.parametrize("octets", [b"", b"x" * 31, b"x" * 33])
def test_a_secret_of_another_length_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(octets)
    path.chmod(0o600)
    with pytest.raises(SecretRefused, match="not 32 octets"):
        token_maker(tmp_path, chance)


def test_a_link_and_a_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretRefused):
        token_maker(tmp_path, chance)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(SecretRefused):
        token_maker(tmp_path, chance)


def test_without_a_directory_there_are_no_tokens_and_a_warning(tmp_path: Path) -> None:
    hub = Heard()
    assert token_of_unless_refused(False, tmp_path / "none", chance, hub) is no_token
    assert hub.texts == []
    assert token_of_unless_refused(True, tmp_path / "none", chance, hub) is no_token
    assert "No such file or directory" in hub.texts[0]
