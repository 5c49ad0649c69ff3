"""What happened, told to whoever listens; and what became of an operator's requests.

Nobody who reports waits for anybody who reads: a subscriber that is too slow is cut off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

import trio

from ikeactors.errors import Fault
from ikeactors.protocol.actions import AnswerRequest, Level, Report

# Reports a subscriber may leave unread: a few hundred tunnels coming up at once.
QUEUE_LIMIT = 4096


# Whether reports of this level about this connection are to be heard.
Wants = Callable[[Level, str], bool]


def _everything(level: Level, connection: str) -> bool:
    return True


class Published(NamedTuple):
    """A report as subscribers see it; `association` is 0 where it is about none."""

    sequence: int
    at: float
    association: int
    report: Report


class SubscriberTooSlow(Fault):
    """A subscriber left too many reports unread and was cut off."""


@dataclass(frozen=True, slots=True)
class HubStatistics:
    """Reports published, who listens, and who was cut off."""

    published: int
    subscribers: int
    cut_off: int


class Subscription:
    """The reports since it was made, as an async iterator; a context that ends it."""

    def __init__(self, hub: ReportHub, limit: int, wants: Wants) -> None:
        self.wants = wants
        self._hub = hub
        self._limit = limit
        self._unread: deque[Published] = deque()
        self._reader = trio.lowlevel.ParkingLot()
        self._ended = False
        self._overrun = False

    def offer(self, published: Published) -> bool:
        """Take a report without waiting; False when the reader is too slow, and ends here."""
        if len(self._unread) >= self._limit:
            self._overrun = True
            self._unread.clear()
            self._reader.unpark_all()
            return False
        self._unread.append(published)
        self._reader.unpark_all()
        return True

    def close(self) -> None:
        """Hear no more."""
        self._ended = True
        self._hub.drop(self)
        self._reader.unpark_all()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Published:
        await trio.lowlevel.checkpoint()
        while not self._unread:
            if self._overrun:
                raise SubscriberTooSlow(f"more than {self._limit} reports were left unread")
            if self._ended:
                raise StopAsyncIteration
            await self._reader.park()
        return self._unread.popleft()


class ReportHub:
    """Takes reports from every actor and offers them to every subscriber."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._subscriptions: list[Subscription] = []
        self._sequence = 0
        self._cut_off = 0

    def is_wanted(self, level: Level, connection: str) -> bool:
        """Whether anybody hears such a report: what is costly to tell is told only then."""
        # Asked for every message: `any` would take twice as long.
        for one in self._subscriptions:  # noqa: SIM110
            if one.wants(level, connection):
                return True
        return False

    def publish(self, report: Report, association: int = 0) -> None:
        """Number a report and offer it to all who want it; the slow ones are cut off."""
        self._sequence += 1
        hearers = [one for one in self._subscriptions if one.wants(report.level, report.connection)]
        if not hearers:
            return
        published = Published(self._sequence, self._wall_clock(), association, report)
        slow = [one for one in hearers if not one.offer(published)]
        for one in slow:
            self._cut_off += 1
            self.drop(one)

    def subscribe(self, limit: int = QUEUE_LIMIT, wants: Wants = _everything) -> Subscription:
        """Hear the reports from now on, at most `limit` of them unread."""
        subscription = Subscription(self, limit, wants)
        self._subscriptions.append(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Offer nothing to this subscription any more."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def statistics(self) -> HubStatistics:
        """What the admin socket shows."""
        return HubStatistics(self._sequence, len(self._subscriptions), self._cut_off)


class Ticket:
    """The place where the answer to one request will be: call it and await the answer."""

    def __init__(self, answers: Answers, request_id: int) -> None:
        self.request_id = request_id
        self._answers = answers
        self._answer: AnswerRequest | None = None
        self._here = trio.Event()

    def settle(self, answer: AnswerRequest) -> None:
        """Keep the first answer."""
        if self._answer is None:
            self._answer = answer
            self._here.set()

    async def __call__(self) -> AnswerRequest:
        """The answer, once it is there. Who stops waiting will not hear it any more."""
        try:
            await self._here.wait()
        finally:
            self._answers.forget(self.request_id)
        assert self._answer is not None
        return self._answer


class Answers:
    """Requests of operators that have not ended, by their id."""

    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def expect(self, request_id: int) -> Ticket:
        """A ticket to wait with for the answer to this request."""
        assert request_id not in self._tickets, "a request id is used once"
        ticket = self._tickets[request_id] = Ticket(self, request_id)
        return ticket

    def resolve(self, answer: AnswerRequest) -> None:
        """Hand an answer to whoever waits for it; nobody does when the operator has gone."""
        ticket = self._tickets.get(answer.request_id)
        if ticket is not None:
            ticket.settle(answer)

    def forget(self, request_id: int) -> None:
        """Nobody waits for this answer any more."""
        self._tickets.pop(request_id, None)
