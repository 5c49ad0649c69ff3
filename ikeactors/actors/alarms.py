"""The deadlines of all associations in one heap, owned by one actor.

A task, a cancel scope or a timer per association costs kilobytes each; an entry in this heap costs
two hundred octets. An alarm that is set again leaves its old entry in the heap, where it no longer
agrees with the table and is passed over; when such entries outnumber the alarms the heap is
built anew.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import trio

from ikeactors.actors.mailbox import Mailbox
from ikeactors.protocol.events import TimerExpired

# Outdated entries a small heap may hold before it is built anew; a large one holds as many
# outdated entries as alarms.
_GARBAGE = 64

_EXPIRED = TimerExpired()


@dataclass(frozen=True, slots=True)
class AlarmStatistics:
    """How many alarms are set and how many have rung."""

    pending: int
    rung: int


class Alarms:
    """For each key at most one deadline and the mailbox that is told when it is reached."""

    def __init__(self) -> None:
        self._pending: dict[int, tuple[float, Mailbox]] = {}
        self._heap: list[tuple[float, int]] = []
        self._sleeper = trio.lowlevel.ParkingLot()
        self._slept_until = math.inf
        self._rung = 0

    def set(self, key: int, deadline: float, mailbox: Mailbox) -> None:
        """Tell `mailbox` at `deadline`, and not at the one set before; infinity is never."""
        pending = self._pending.get(key)
        if pending is not None and pending[0] == deadline and pending[1] is mailbox:
            return
        if deadline == math.inf:
            self._pending.pop(key, None)
            return
        self._pending[key] = (deadline, mailbox)
        heapq.heappush(self._heap, (deadline, key))
        if len(self._heap) > 2 * len(self._pending) + _GARBAGE:
            self._rebuild()
        if deadline < self._slept_until:
            self._sleeper.unpark()

    def cancel(self, key: int) -> None:
        """Forget the alarm of this key, if there is one."""
        self._pending.pop(key, None)

    def ring(self, now: float) -> None:
        """Tell the mailboxes whose deadline is reached, the earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            deadline, key = heapq.heappop(heap)
            pending = self._pending.get(key)
            if pending is None or pending[0] != deadline:
                continue
            del self._pending[key]
            self._rung += 1
            pending[1].post_assured(_EXPIRED)

    async def rest(self) -> None:
        """Wait until the earliest deadline, or until an earlier one is set."""
        self._slept_until = self._heap[0][0] if self._heap else math.inf
        with trio.move_on_at(self._slept_until):
            await self._sleeper.park()

    @property
    def heap_size(self) -> int:
        """Entries in the heap, outdated ones included."""
        return len(self._heap)

    def statistics(self) -> AlarmStatistics:
        """What the admin socket shows."""
        return AlarmStatistics(len(self._pending), self._rung)

    def _rebuild(self) -> None:
        self._heap = [(deadline, key) for key, (deadline, _) in self._pending.items()]
        heapq.heapify(self._heap)


async def run_alarms(alarms: Alarms) -> None:
    """Ring the alarms. A successor finds them as they were."""
    while True:
        await alarms.rest()
        alarms.ring(trio.current_time())
