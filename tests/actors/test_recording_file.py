"""The file of one recording."""

from __future__ import annotations

import stat
from pathlib import Path

from ikeactors.actors.recording_file import RecordingFile, RecordingPolicy
from ikeactors.protocol.recording.file import read
from ikeactors.protocol.recording.recorded import Beginning
from tests.pair import EAST, WEST, SeededEntropy, connection

KEY = b"0123456789abcdef"
BEGINNING = Beginning(connection(), WEST, EAST, {})


def opened(folder: Path, name: str = "gw", seed: str = "0", **bounds: int) -> RecordingFile:
    policy = RecordingPolicy(folder, "1.0", KEY, **bounds)
    return RecordingFile(policy, name, SeededEntropy(seed).octets)


def test_it_is_made_for_the_owner_alone_with_its_first_record(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "recordings"
    file = opened(folder)
    assert not folder.exists()
    assert file.write(BEGINNING) == ""
    assert file.write("the end") == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    recording = read(file.path.read_bytes(), KEY)
    assert (recording.beginning, recording.end) == (BEGINNING, "the end")


def test_it_ends_at_its_bound_and_says_so(tmp_path: Path) -> None:
    file = opened(tmp_path, size=2000)
    problems = [file.write(BEGINNING), *(file.write("x" * 600) for _ in range(5))]
    assert [one for one in problems if one] == ["it would grow over 2000 octets (record_size)"]
    recording = read(file.path.read_bytes(), KEY)
    assert "2000 octets" in recording.end
    assert file.path.stat().st_size < 2500


def test_the_oldest_of_a_connection_goes_and_no_other_file(tmp_path: Path) -> None:
    old = [f"gw-20200101T00000{number}Z-00000000.recording" for number in range(5)]
    foreign = ["gw-2-20200101T000000Z-00000000.recording", "gw.txt"]
    for name in (*old, *foreign):
        (tmp_path / name).touch()
    file = opened(tmp_path, files=3)
    file.write(BEGINNING)
    assert {path.name for path in tmp_path.iterdir()} == {file.path.name, *old[3:], *foreign}


def test_a_disk_that_refuses_ends_it_once(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    file = opened(tmp_path / "folder")
    assert file.write(BEGINNING) == "File exists"
    assert file.write(BEGINNING) == ""


def test_one_that_was_removed_does_not_come_back_without_its_beginning(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.write(BEGINNING)
    file.path.unlink()
    assert file.write("the end") == "No such file or directory"
    assert list(tmp_path.iterdir()) == []
