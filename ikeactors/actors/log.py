"""The log: reports that matter enough, a line each, written where a slow reader delays nobody.

The actor makes lines and keeps a bounded number of them; a thread writes them in batches. `Log`
outlives the actor. Lines that find no room are dropped and counted, and the log says so.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import trio

from ikeactors.actors.log_lines import Form
from ikeactors.actors.reports import Published, ReportHub, SubscriberTooSlow
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.settings import ConnectionSettings

# Lines that wait for the journal: a second or two of a busy gateway that logs every message.
QUEUE_LIMIT = 8192
# Written at a time: few calls when there is much, and little lost when the thread is left behind.
BATCH = 256
# For the last lines, when the daemon ends and the journal is slow.
FLUSH_TIMEOUT = 1.0

STANDARD_ERROR = 2

_WRITABLE_WITHIN = 1.0

Write = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """Lines written, waiting, and lost: for want of room, or because nobody takes them."""

    written: int
    waiting: int
    dropped: int


class LogLevels:
    """How much is logged: of each connection that has a level of its own, and of all others."""

    def __init__(self, level: Level = Level.INFO) -> None:
        self._all = level
        self._own: dict[str, Level] = {}

    @classmethod
    def configured(cls, level: str, connections: Iterable[ConnectionSettings]) -> LogLevels:
        """As the configuration says."""
        levels = cls(level_named(level))
        for connection in connections:
            if connection.log_level:
                levels.change(level_named(connection.log_level), connection.name)
        return levels

    def change(self, level: Level | None, connection: str = "") -> None:
        """Of one connection, or of all that have no level of their own; None: like all."""
        if level is None:
            self._own.pop(connection, None)
        elif connection:
            self._own[connection] = level
        else:
            self._all = level

    def table(self) -> Mapping[str, Level]:
        """By connection, "" for all the others."""
        return {"": self._all, **self._own}

    def wants(self, level: Level, connection: str) -> bool:
        """Whether reports of this level about this connection are logged."""
        return level >= self._own.get(connection, self._all)

    def passes(self, report: Report) -> bool:
        """Whether this is to be logged."""
        return self.wants(report.level, report.connection)


class Log:
    """The lines that wait to be written."""

    def __init__(self, hub: ReportHub, levels: LogLevels, form: Form, write: Write) -> None:
        self.levels = levels
        self._hub = hub
        self._form = form
        self._write = write
        self._reports = hub.subscribe(wants=levels.wants)
        self._lines: deque[str] = deque()
        self._writer = trio.lowlevel.ParkingLot()
        self._drained = trio.lowlevel.ParkingLot()
        self._is_writing = False
        self._written = 0
        self._dropped = 0
        self._untold = 0

    def statistics(self) -> LogStatistics:
        """What the admin socket shows."""
        return LogStatistics(self._written, len(self._lines), self._dropped)

    def take(self, published: Published) -> None:
        """Make a line of a report that matters; nothing is formatted for one that does not."""
        if not self.levels.passes(published.report):
            return
        if len(self._lines) >= QUEUE_LIMIT:
            self._lost(1)
            return
        if self._untold:
            text = f"{self._untold} lines were lost: whoever reads the log is too slow."
            self._untold = 0
            lost = Report("log-lines-lost", text, Level.WARNING)
            self._lines.append(self._form(published._replace(association=0, report=lost)))
        self._lines.append(self._form(published))
        self._writer.unpark()

    async def read_reports(self) -> None:
        """Take every report until the subscription is closed; the next is there for a successor."""
        while True:
            try:
                async for published in self._reports:
                    self.take(published)
            except SubscriberTooSlow:
                self._lost(1)
                self._reports = self._hub.subscribe(wants=self.levels.wants)
            else:
                self._reports = self._hub.subscribe(wants=self.levels.wants)
                return

    async def write_lines(self, scope: trio.CancelScope) -> None:
        """Write lines as they come, until `scope` is cancelled."""
        with scope:
            while True:
                while not self._lines:
                    self._drained.unpark_all()
                    await self._writer.park()
                await self._write_batch()

    async def drained(self) -> None:
        """Wait until all lines are written."""
        while self._lines or self._is_writing:
            await self._drained.park()

    async def _write_batch(self) -> None:
        """Write some lines, in a thread: a full pipe must not stop the loop."""
        count = min(BATCH, len(self._lines))
        octets = "".join(f"{self._lines.popleft()}\n" for _ in range(count)).encode()
        self._is_writing = True
        try:
            # The thread of a reader that never reads is left behind when the daemon ends.
            await trio.to_thread.run_sync(self._write, octets, abandon_on_cancel=True)
            self._written += count
        except OSError:
            self._lost(count)
        finally:
            self._is_writing = False

    def close(self) -> None:
        """Hear no more reports; those heard are still written."""
        self._reports.close()

    def _lost(self, count: int) -> None:
        self._dropped += count
        self._untold += count


async def run_log(log: Log) -> None:
    """Write the log until cancelled, and then what is left."""
    # Shielded, so that the batch being written when the end comes is written to its end.
    writing = trio.CancelScope(shield=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.write_lines, writing)
        try:
            await log.read_reports()
        finally:
            log.close()
            with trio.CancelScope(shield=True), trio.move_on_after(FLUSH_TIMEOUT):
                await log.read_reports()
                await log.drained()
            writing.cancel()


def write_to(descriptor: int) -> Write:
    """A function that writes all it is given to a descriptor, which may be non-blocking."""

    def write(octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                select.select((), (descriptor,), (), _WRITABLE_WITHIN)

    return write


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether systemd has connected this descriptor to the journal (JOURNAL_STREAM)."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def level_named(word: str) -> Level:
    """The level of this name, as the configuration has checked it."""
    return Level[word.upper()]
