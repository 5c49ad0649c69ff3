"""Two daemons do not keep their state in one place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ikeactors.actors.sole_use import DirectoryInUse, claim


def test_a_second_daemon_is_told_who_is_there(tmp_path: Path) -> None:
    place = tmp_path / "run"
    first = claim(place)
    assert first is not None
    with pytest.raises(DirectoryInUse, match=f"process {os.getpid()}, keeps its state in {place}"):
        claim(place)
    first.close()
    again = claim(place)
    assert again is not None
    again.close()


def test_a_directory_that_cannot_be_written_is_the_stores_affair(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert claim(tmp_path / "file" / "run") is None


def test_what_the_lock_says_is_not_trusted(tmp_path: Path) -> None:
    held = claim(tmp_path)
    assert held is not None
    (tmp_path / "daemon.lock").write_bytes(b"\xff\n")
    with pytest.raises(DirectoryInUse, match="another process"):
        claim(tmp_path)
    held.close()
