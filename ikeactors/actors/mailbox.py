"""An association's inbox: a bounded queue, one receiver, one wait.

It outlives the actor that reads it. There is one per association, so it is small: the queue is a
list, because an empty deque takes 760 octets and an empty list 56, and to take from the front of
64 entries is nothing; the wait is the receiver's task itself, no object is made for it.
"""

from __future__ import annotations

from typing import Any

import trio

from ikeactors.protocol.events import Event

# What the network may leave waiting: a window of messages with their fragments and some
# retransmissions. A peer whose 65th datagram is dropped sends it again.
LIMIT = 64


class Mailbox:
    """Events for one actor, in the order in which they came."""

    __slots__ = ("_closed", "_events", "_receiver", "dropped")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._receiver: trio.lowlevel.Task | None = None
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def post(self, event: Event) -> bool:
        """Leave what the network sent; False, and counted, when too much waits already."""
        if len(self._events) >= LIMIT or self._closed:
            self.dropped += 1
            return False
        self._accept(event)
        return True

    def post_assured(self, event: Event) -> None:
        """Leave what was asked for: never refused, bounded by what the receiver asked."""
        if self._closed:
            self.dropped += 1
            return
        self._accept(event)

    async def receive(self) -> Event:
        """Take the oldest event, waiting for one; always a checkpoint, which loses no event."""
        if self._events:
            await trio.lowlevel.checkpoint()
        else:
            assert self._receiver is None, "a mailbox has one receiver"
            self._receiver = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abandon)
        return self._events.pop(0)

    def take(self) -> Event:
        """Take the oldest event, which must be there."""
        return self._events.pop(0)

    async def filled(self) -> None:
        """Wait until an event is here, and leave it here."""
        if self._events:
            await trio.lowlevel.checkpoint()
            return
        assert self._receiver is None, "a mailbox has one receiver"
        self._receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abandon)

    def drain(self) -> list[Event]:
        """Take everything that waits."""
        events, self._events = self._events, []
        return events

    def close(self) -> list[Event]:
        """Refuse everything from now on; what waited is given back.

        A crashed actor's mailbox is closed: answers to what it asked for must not be taken by its
        successor, whose tickets may have the same numbers.
        """
        self._closed = True
        return self.drain()

    def _accept(self, event: Event) -> None:
        self._events.append(event)
        if self._receiver is not None:
            task, self._receiver = self._receiver, None
            trio.lowlevel.reschedule(task)

    def _abandon(self, _: Any) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED
