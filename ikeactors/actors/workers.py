"""The crypto pool: slow public-key work runs in threads, so that no other tunnel waits for it.

N worker tasks take jobs from one bounded queue. A worker that is killed before its job has begun
gives it back; one that is killed later still delivers the result, because a thread cannot be
stopped and must not be left behind: the job is a step that owns its association until it ends.
For the same reason a caller cannot be cancelled out of a job that has begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import outcome
import trio

T = TypeVar("T")
Done = outcome.Value[Any] | outcome.Error

# Jobs that wait; who comes later waits for room. At a millisecond each this is a quarter of a
# second of work, more only makes every answer late.
QUEUE_LIMIT = 256


class Carrier(Protocol):
    """Runs a function elsewhere: a thread, or in a simulation in place."""

    def __call__(self, work: Callable[[], Done], /) -> Awaitable[Done]:
        """The function's result, which is an outcome: it does not raise."""
        ...


def threads(count: int) -> Carrier:
    """A carrier with this many threads of its own."""
    limiter = trio.CapacityLimiter(count)

    async def carry(work: Callable[[], Done], /) -> Done:
        done: Done = await trio.to_thread.run_sync(work, abandon_on_cancel=False, limiter=limiter)
        return done

    return carry


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """Jobs done, waiting and under way; jobs given back by killed workers."""

    done: int
    waiting: int
    running: int
    given_back: int


class _Job:
    """A function, who waits for it, and how far it is."""

    __slots__ = ("begun", "caller", "done", "queue", "raise_cancel", "taken", "work")

    def __init__(self, work: Callable[[], Any], queue: deque[_Job]) -> None:
        self.work = work
        self.queue = queue
        self.caller = trio.lowlevel.current_task()
        self.taken = False
        self.begun = False
        self.done: Done | None = None
        self.raise_cancel: Callable[[], Any] | None = None

    def carry_out(self) -> Done:
        """Runs in the thread."""
        self.begun = True
        done: Done = outcome.capture(self.work)
        return done

    def abandon(self, raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
        """The caller is cancelled: a job that nobody has taken is simply not done."""
        if self.taken:
            self.raise_cancel = raise_cancel
            return trio.lowlevel.Abort.FAILED
        self.queue.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


class Workers:
    """The queue of jobs; it outlives the worker tasks."""

    def __init__(self, carry: Carrier, limit: int = QUEUE_LIMIT) -> None:
        self._carry = carry
        self._limit = limit
        self._queue: deque[_Job] = deque()
        self._idle = trio.lowlevel.ParkingLot()
        self._crowd = trio.lowlevel.ParkingLot()
        self._done = 0
        self._running = 0
        self._given_back = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, or what it raises, from another thread."""
        while len(self._queue) >= self._limit:
            await self._crowd.park()
        job = _Job(work, self._queue)
        self._queue.append(job)
        self._idle.unpark()
        result: T = await trio.lowlevel.wait_task_rescheduled(job.abandon)
        return result

    async def serve_one(self) -> None:
        """Take the oldest job, waiting for one, and carry it out."""
        while not self._queue:
            await self._idle.park()
        job = self._queue.popleft()
        self._crowd.unpark()
        job.taken = True
        self._running += 1
        try:
            job.done = await self._carry(job.carry_out)
        finally:
            self._running -= 1
            self._settle(job)

    def statistics(self) -> WorkerStatistics:
        """What the admin socket shows."""
        return WorkerStatistics(self._done, len(self._queue), self._running, self._given_back)

    def _settle(self, job: _Job) -> None:
        if job.done is None and not job.begun:
            if job.raise_cancel is not None:
                # The caller is not asked a second time whether it still wants the result.
                trio.lowlevel.reschedule(job.caller, outcome.capture(job.raise_cancel))
                return
            job.taken = False
            self._given_back += 1
            self._queue.appendleft(job)
            self._idle.unpark()
            return
        self._done += 1
        lost = outcome.Error(RuntimeError("the worker died while the job ran"))
        trio.lowlevel.reschedule(job.caller, job.done or lost)


async def run_worker(workers: Workers) -> None:
    """One worker: it carries out one job after the other."""
    while True:
        await workers.serve_one()
