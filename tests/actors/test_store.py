"""Where checkpoints are kept."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from ikeactors.actors.store import (
    SCHEMA,
    MemoryStore,
    Opened,
    Row,
    SetAside,
    SqliteStore,
    StoreFailed,
    StoreIsNewer,
)

ROW, OTHER = Row(1.5, b"the first association"), Row(2.5, b"another one")
KEY = b"0123456789abcdef"


def store(folder: Path, boot: str = "boot", key: bytes = b"") -> SqliteStore:
    return SqliteStore(folder / "state" / "state.db", boot, key)


def written(folder: Path, **options: object) -> None:
    """A store that a former process has left."""
    kept = store(folder, **options)
    assert kept.open() == Opened({})
    kept.commit({1: ROW, 2: OTHER})
    kept.close()


def test_what_is_committed_is_there_for_the_next(tmp_path: Path) -> None:
    written(tmp_path)
    again = store(tmp_path)
    assert again.open() == Opened({1: ROW, 2: OTHER})
    again.commit({1: None, 2: ROW, 3: OTHER})
    again.close()
    assert store(tmp_path).open() == Opened({2: ROW, 3: OTHER})


def test_it_is_there_without_a_close(tmp_path: Path) -> None:
    """A process that is killed closes nothing."""
    kept = store(tmp_path)
    kept.open()
    kept.commit({1: ROW})
    shutil.copytree(tmp_path / "state", tmp_path / "copy" / "state")
    assert store(tmp_path / "copy").open() == Opened({1: ROW})
    kept.close()


def test_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.open()
    kept.commit({1: ROW})
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    kept.close()


def test_after_a_boot_of_the_host_nothing_is_restored(tmp_path: Path) -> None:
    written(tmp_path)
    later = store(tmp_path, boot="another boot")
    assert later.open() == Opened({}, ("what was kept is of a former boot, and is over",))
    later.close()
    assert store(tmp_path, boot="another boot").open() == Opened({})


def test_with_a_key_nothing_is_in_clear_and_another_key_opens_nothing(tmp_path: Path) -> None:
    written(tmp_path, key=KEY)
    files = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert ROW.octets not in files
    for key in (b"another key of it", b""):
        shutil.copytree(tmp_path / "state", tmp_path / f"key-{key.hex()}" / "state")
    assert store(tmp_path, key=KEY).open() == Opened({1: ROW, 2: OTHER})
    other = store(tmp_path / f"key-{b'another key of it'.hex()}", key=b"another key of it").open()
    assert other.rows == {}
    assert other.remarks[0] == "association 1 was kept under another key, and is over"


@pytest.mark.parametrize("octets", [b"no database at all", b"SQLite format 3\0" + bytes(5000)])
def test_a_corrupt_file_is_set_aside(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(octets)
    kept = store(tmp_path)
    opened = kept.open()
    assert opened.rows == {}
    assert "was not readable and is now state.db.corrupt" in opened.remarks[0]
    assert (tmp_path / "state" / "state.db.corrupt").read_bytes() == octets
    kept.commit({1: ROW})
    kept.close()


def test_a_torn_end_of_its_journal_costs_no_more_than_that(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.open()
    kept.commit({1: ROW})
    kept.commit({2: OTHER})
    shutil.copytree(tmp_path / "state", tmp_path / "torn" / "state")
    kept.close()
    journal = tmp_path / "torn" / "state" / "state.db-wal"
    journal.write_bytes(journal.read_bytes()[:-100])
    assert store(tmp_path / "torn").open() == Opened({1: ROW})


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    written(tmp_path)
    with sqlite3.connect(tmp_path / "state" / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    before = (tmp_path / "state" / "state.db").read_bytes()
    with pytest.raises(StoreIsNewer, match=rf"schema {SCHEMA + 1}, and {SCHEMA} is known"):
        store(tmp_path).open()
    assert (tmp_path / "state" / "state.db").read_bytes() == before


def test_a_second_process_is_told_that_it_is_taken(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.open()
    with pytest.raises(StoreFailed, match="database is locked"):
        store(tmp_path).open()
    kept.commit({1: ROW})
    kept.close()


def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreFailed, match="File exists"):
        store(tmp_path).open()


def test_a_disk_that_is_full_is_said_and_what_is_kept_can_be_removed(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.open()
    kept.commit({1: ROW})
    assert kept._connection is not None
    kept._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreFailed, match="full"):
        kept.commit({number: Row(0.0, bytes(5000)) for number in range(100)})
    kept.invalidate()
    assert list((tmp_path / "state").iterdir()) == []
    kept.commit({3: ROW})
    kept.close()
    assert store(tmp_path).open() == Opened({3: ROW})


def test_the_store_in_memory_does_the_same() -> None:
    kept = MemoryStore()
    kept.commit({1: ROW, 2: OTHER})
    kept.commit({1: None})
    assert kept.open() == Opened({2: OTHER})
    kept.fault = "the disk is full"
    with pytest.raises(StoreFailed, match="the disk is full"):
        kept.commit({1: ROW})


@pytest.mark.parametrize("key", [b"", KEY])
def test_what_is_set_aside_is_not_restored_and_only_the_newest_of_it_stay(
    tmp_path: Path, key: bytes
) -> None:
    kept = store(tmp_path, key=key)
    kept.open()
    for number in range(1, 21):
        kept.commit({number: ROW})
        assert kept.read(number) == ROW
        kept.commit({number: SetAside(f"crash {number}")})
        assert kept.read(number) is None
    kept.close()
    later = store(tmp_path, key=key)
    assert later.open() == Opened({})
    later.close()
    with sqlite3.connect(tmp_path / "state" / "state.db") as connection:
        found = connection.execute("SELECT number, why FROM aside ORDER BY rowid").fetchall()
    connection.close()
    assert found == [(number, f"crash {number}") for number in range(5, 21)]


def test_what_the_schema_before_has_kept_is_restored(tmp_path: Path) -> None:
    written(tmp_path)
    with sqlite3.connect(tmp_path / "state" / "state.db") as connection:
        connection.execute("DROP TABLE aside")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    again = store(tmp_path)
    assert again.open() == Opened({1: ROW, 2: OTHER})
    again.commit({1: SetAside("crash")})
    again.close()
