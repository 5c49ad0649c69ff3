"""Where checkpoints are kept: the interface, SQLite behind it, and one in memory for tests.

All of it waits for the disk. What is kept holds for one boot of the host: after that the data plane
is empty, and with the power the last commits may be lost, so that message IDs would be used again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ikeactors.crypto.at_rest import SALT_OCTETS, AtRest
from ikeactors.errors import Fault, IntegrityFailed
from ikeactors.quick import quick

# Ours: the schema's number; `_MIGRATIONS` leads to it from the older ones.
SCHEMA = 2
_PURPOSE = "state"
# Seconds that another process may hold the file.
_PATIENCE = 1.0
# Rows that were set aside: a fault shows in the first few, and each holds keys.
_ASIDE_LIMIT = 16


class StoreFailed(Fault):
    """Nothing can be kept; the text says why."""


class StoreIsNewer(StoreFailed):
    """A newer version has written it, and may come to read it again: it is left as it is."""


@quick
class Row:
    """What is kept of an association, and when it was taken, in seconds since the host booted."""

    saved_at: float
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was kept before, and what is to be said about it."""

    rows: dict[int, Row]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """What is kept is not to be restored, and stays for whoever looks for the fault."""

    why: str


# By the number under which an association is kept; None where it is kept no more.
Changes = Mapping[int, Row | SetAside | None]


class Store(Protocol):
    """Keeps rows. Each method may wait, and raises `StoreFailed`."""

    def open(self) -> Opened:
        """What was kept before."""
        ...

    def commit(self, changes: Changes) -> None:
        """Keep these, all or none of them; when it returns they are durable."""
        ...

    def read(self, number: int) -> Row | None:
        """What is kept under this number."""
        ...

    def invalidate(self) -> None:
        """What is there is not true, or not all of it: it must not be restored."""
        ...

    def close(self) -> None:
        """Nothing more is kept."""
        ...


class MemoryStore:
    """Keeps rows as long as the process lives; `fault` makes it fail."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.aside: dict[int, str] = {}
        self.commits = 0
        self.fault = ""

    def open(self) -> Opened:
        return Opened(dict(self.rows))

    def commit(self, changes: Changes) -> None:
        if self.fault:
            raise StoreFailed(self.fault)
        self.commits += 1
        for number, row in changes.items():
            if isinstance(row, Row):
                self.rows[number] = row
            else:
                self.rows.pop(number, None)
            if isinstance(row, SetAside):
                self.aside[number] = row.why

    def read(self, number: int) -> Row | None:
        if self.fault:
            raise StoreFailed(self.fault)
        return self.rows.get(number)

    def invalidate(self) -> None:
        self.rows.clear()

    def close(self) -> None:
        """Nothing to be closed."""


class SqliteStore:
    """A file of SQLite's, for its owner alone, and for one process at a time."""

    def __init__(
        self, path: Path, boot: str, key: bytes = b"", octets: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._path = path
        self._boot = boot
        self._key = key
        self._octets = octets
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Opened:
        try:
            return self._opened()
        except StoreIsNewer:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            if isinstance(error, sqlite3.OperationalError):
                raise StoreFailed(f"{self._path}: {error}") from None
        except OSError as error:
            raise StoreFailed(f"{self._path}: {error.strerror}") from None
        remark = self._set_aside()
        try:
            return Opened(self._opened().rows, (remark,))
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path}: {error}") from None

    def commit(self, changes: Changes) -> None:
        rows = [
            (one, *self._sealed(one, row)) for one, row in changes.items() if isinstance(row, Row)
        ]
        aside = [(row.why, one) for one, row in changes.items() if isinstance(row, SetAside)]
        gone = [(one,) for one, row in changes.items() if not isinstance(row, Row)]
        try:
            connection = self._connected()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_PUT, rows)
                if aside:
                    connection.executemany(_PUT_ASIDE, aside)
                    connection.execute(_TRIM_ASIDE, (_ASIDE_LIMIT,))
                connection.executemany("DELETE FROM associations WHERE number = ?", gone)
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path}: {error}") from None

    def read(self, number: int) -> Row | None:
        try:
            found = self._connected().execute(_FIND, (number,)).fetchone()
            return None if found is None else Row(found[0], self._unsealed(number, found[1]))
        except IntegrityFailed:
            return None
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path}: {error}") from None

    def invalidate(self) -> None:
        """Removed: that takes no room on a disk that is full."""
        self.close()
        try:
            for path in self._files():
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreFailed(f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._opened()
        assert self._connection is not None
        return self._connection

    def _opened(self) -> Opened:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        os.chmod(self._path, 0o600)
        # One thread at a time is at it, and not always the same one.
        connection = self._connection = sqlite3.connect(
            self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        ((verdict,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        self._migrate(connection)
        return self._rows(connection)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        ((schema,),) = connection.execute("PRAGMA user_version").fetchall()
        if schema > SCHEMA:
            text = f"it is of a newer version (schema {schema}, and {SCHEMA} is known)"
            raise StoreIsNewer(f"{self._path} is left as it is: {text}")
        for older in range(schema, SCHEMA):
            connection.executescript(_MIGRATIONS[older])

    def _rows(self, connection: sqlite3.Connection) -> Opened:
        found = connection.execute("SELECT value FROM facts WHERE name = 'boot'").fetchall()
        if found != [(self._boot,)]:
            with connection:
                connection.execute("DELETE FROM associations")
                connection.execute("DELETE FROM aside")
                connection.execute("INSERT OR REPLACE INTO facts VALUES ('boot', ?)", (self._boot,))
            return Opened({}, ("what was kept is of a former boot, and is over",) if found else ())
        rows: dict[int, Row] = {}
        remarks: list[str] = []
        for number, saved_at, octets in connection.execute("SELECT * FROM associations"):
            try:
                rows[number] = Row(saved_at, self._unsealed(number, octets))
            except IntegrityFailed:
                remarks.append(f"association {number} was kept under another key, and is over")
        return Opened(rows, tuple(remarks))

    def _set_aside(self) -> str:
        aside = self._path.with_name(f"{self._path.name}.corrupt")
        with contextlib.suppress(OSError):
            self._path.replace(aside)
        for path in self._files()[1:]:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        return f"{self._path} was not readable and is now {aside.name}: what it kept is lost"

    def _files(self) -> list[Path]:
        names = (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm")
        return [self._path.with_name(name) for name in names]

    def _sealed(self, number: int, row: Row) -> tuple[float, bytes]:
        if not self._key:
            return row.saved_at, row.octets
        salt = self._octets(SALT_OCTETS)
        sealed = AtRest(self._key, salt, _PURPOSE).seal(0, row.octets, number.to_bytes(8, "big"))
        return row.saved_at, salt + sealed

    def _unsealed(self, number: int, octets: bytes) -> bytes:
        if not self._key:
            return octets
        salt, sealed = octets[:SALT_OCTETS], octets[SALT_OCTETS:]
        if len(salt) != SALT_OCTETS:
            raise IntegrityFailed("too short")
        return AtRest(self._key, salt, _PURPOSE).open(0, sealed, number.to_bytes(8, "big"))


_PRAGMAS = (
    # Held as long as the process lives: a second daemon in the same place is told so.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    # Durable when the process dies; when the host does, what is kept is over anyway.
    "PRAGMA synchronous = NORMAL",
)
_PUT = "INSERT OR REPLACE INTO associations VALUES (?, ?, ?)"
_FIND = "SELECT saved_at, octets FROM associations WHERE number = ?"
# As it is, sealed or not.
_PUT_ASIDE = """
    INSERT INTO aside SELECT number, saved_at, octets, ? FROM associations WHERE number = ?
"""
_TRIM_ASIDE = """
    DELETE FROM aside WHERE rowid NOT IN (SELECT rowid FROM aside ORDER BY rowid DESC LIMIT ?)
"""

# From a schema to the next.
_MIGRATIONS = {
    0: """
        BEGIN;
        CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE associations (
            number INTEGER PRIMARY KEY, saved_at REAL NOT NULL, octets BLOB NOT NULL
        );
        PRAGMA user_version = 1;
        COMMIT;
    """,
    1: """
        BEGIN;
        CREATE TABLE aside (
            number INTEGER NOT NULL, saved_at REAL NOT NULL, octets BLOB NOT NULL, why TEXT NOT NULL
        );
        PRAGMA user_version = 2;
        COMMIT;
    """,
}
