"""Recordings of associations, one file each, for `tools/replay`.

A recording holds what an association was given, chance and secrets among it, so it is written
sealed or not at all. Steps go through a bounded queue to an actor that seals and writes them in a
thread. A step may come from a worker's thread: what it touches here belongs to its association, or
is a deque.

A recording with a gap is of no use: where the disk is too slow, or the file grows over its bound,
it ends, and says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from ikeactors.actors.recording_file import Record, RecordingFile, RecordingPolicy
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.recording.recorded import Beginning, Recordable, Step
from ikeactors.protocol.settings import Settings

# Records that wait for the disk: the handshakes of some hundred associations.
QUEUE_LIMIT = 4096
# Steps of a responder that does not know yet which connection its peer uses.
_UNDECIDED_LIMIT = 64

_TOO_SLOW = "the disk is too slow"


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """Records written and waiting; recordings that ended before their time."""

    written: int
    waiting: int
    broken_off: int


class Recorder:
    """The queue of what is to be written; it outlives the actor."""

    def __init__(
        self,
        policy: RecordingPolicy,
        settings: Settings,
        octets: Callable[[int], bytes],
        publish: Callable[[Report], None],
    ) -> None:
        self.settings = settings
        self._policy = policy
        self._octets = octets
        self._publish = publish
        self._queue: deque[tuple[RecordingFile, str, Record]] = deque()
        self._writer = trio.lowlevel.ParkingLot()
        self._loop = trio.lowlevel.current_trio_token()
        self._written = 0
        self._broken_off = 0

    def begin(self, beginning: Beginning) -> Callable[[Step, Recordable], None]:
        """Where the steps of a new association go."""
        return _Reel(self, beginning).keep

    def file(self, connection: str) -> RecordingFile:
        """The file of one more recording; nothing is on the disk yet."""
        return RecordingFile(self._policy, connection, self._octets)

    def leave(self, file: RecordingFile, connection: str, record: Record) -> bool:
        """Leave a record, from any thread; False when too much waits already."""
        is_full = len(self._queue) >= QUEUE_LIMIT
        self._queue.append((file, connection, _TOO_SLOW if is_full else record))
        self._loop.run_sync_soon(self._writer.unpark, idempotent=True)
        return not is_full

    async def write_waiting(self) -> None:
        """Wait for records and write all that are there."""
        while not self._queue:
            await self._writer.park()
        for report in await trio.to_thread.run_sync(self._write):
            self._publish(report)

    def statistics(self) -> RecorderStatistics:
        """What the admin socket shows."""
        return RecorderStatistics(self._written, len(self._queue), self._broken_off)

    def _write(self) -> list[Report]:
        """In a thread. A record leaves the queue first: twice would be worse than not at all."""
        reports = []
        for _ in range(len(self._queue)):
            file, connection, record = self._queue.popleft()
            problem = file.write(record)
            self._written += 1
            if problem or record is _TOO_SLOW:
                self._broken_off += 1
                text = f"the recording {file.path} ends: {problem or _TOO_SLOW}"
                reports.append(Report("recording-broken-off", text, Level.WARNING, connection))
        return reports


class _Reel:
    """What is recorded of one association.

    Nothing is left for the disk before its connection is known: a responder knows that once the
    peer has proven who it is.
    """

    __slots__ = ("_connection", "_file", "_recorder", "_records")

    def __init__(self, recorder: Recorder, beginning: Beginning) -> None:
        self._recorder = recorder
        self._records: list[Record] | None = [beginning]
        self._connection = ""
        self._file: RecordingFile | None = None

    def keep(self, step: Step, association: Recordable) -> None:
        """One more step, and why it was the last if it was."""
        if self._records is None:
            return
        self._records.append(step)
        if step.actions is None:
            self._records.append("the step crashed")
        elif association.closed:
            self._records.append(association.failure or "the association is closed")
        if self._file is None:
            self._decide(association.connection_name)
        if self._file is not None:
            self._leave(self._file)

    def _decide(self, connection_name: str) -> None:
        assert self._records is not None
        connection = self._recorder.settings.connection(connection_name)
        if connection is not None and connection.record:
            self._connection = connection_name
            self._file = self._recorder.file(connection_name)
        elif connection is not None or len(self._records) > _UNDECIDED_LIMIT:
            self._records = None

    def _leave(self, file: RecordingFile) -> None:
        assert self._records is not None
        records, self._records = self._records, []
        for record in records:
            if not self._recorder.leave(file, self._connection, record):
                self._records = None
                return


async def run_recorder(recorder: Recorder) -> None:
    """Write the records as they come."""
    while True:
        await recorder.write_waiting()
