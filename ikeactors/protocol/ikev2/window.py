"""Message IDs and windows in both directions (RFC 7296 sections 2.1 to 2.3).

Both are of size one until the ends say more, see `window_size`. Requests that come too early wait
for those before them: they are served in the order of their message IDs, so that the two ends go
through the same states whatever the network does to their order.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.exchange import Exchange, Payloads
from ikeactors.quick import quick

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.protection import Opened
    from ikeactors.protocol.ikev2.reassembly import FragmentSet

# A message as it went out: one datagram, or one a fragment.
Datagrams = tuple[bytes, ...]

# The specification's: a message ID never wraps; the IKE SA is rekeyed or closed before.
MAX_MESSAGE_ID = 0xFFFFFFFF

# Ours: requests that are out at a time, however many the peer has room for: more than that gain
# nothing, and each is retransmitted on its own.
MAX_OUTSTANDING = 16

# Ours: repeated requests are answered at most this often a second, whatever the peer sends.
MIN_REPEAT_INTERVAL = 0.05


class Arrival(enum.Enum):
    """What a request's message ID says about it."""

    FRESH = "fresh"
    EARLY = "early"
    REPEATED = "repeated"
    OUTSIDE = "outside"


@dataclass(slots=True)
class Outstanding:
    """A request of ours that is not answered yet; its octets are sent again unchanged.

    Only where they were too large for the path they are made anew of `payloads`, as more and
    smaller fragments. `partial` is what has come of the response.
    """

    message_id: int
    datagrams: Datagrams
    exchange: Exchange
    payloads: Payloads = ()
    tries: int = 0
    partial: FragmentSet | None = None
    due_at: float = math.inf


@quick
class Served:
    """A request that is to be answered: its answer goes from where to where it came."""

    exchange: ExchangeType
    local: Endpoint
    remote: Endpoint


@dataclass(slots=True)
class Early:
    """A request that has come before those it follows; `opened` when all of it is here."""

    served: Served
    opened: Opened | None = None
    partial: FragmentSet | None = None


@dataclass(slots=True)
class _Kept:
    """An answer that is not the last one, and when it was last repeated."""

    response: Datagrams
    repeated_at: float


class _Wide:
    """What only a window of more than one has: early requests, and answers before the last."""

    __slots__ = ("early", "former")

    def __init__(self) -> None:
        self.early: dict[int, Early] = {}
        self.former: dict[int, _Kept] = {}


class RequestWindow:
    """Our requests, numbered from 0, the oldest first: `size` at a time."""

    __slots__ = ("next_id", "outstanding", "size")

    def __init__(self, next_id: int = 0) -> None:
        self.next_id = next_id
        self.outstanding: tuple[Outstanding, ...] = ()
        self.size = 1

    @property
    def is_exhausted(self) -> bool:
        """Whether the message IDs are used up."""
        return self.next_id > MAX_MESSAGE_ID

    @property
    def has_room(self) -> bool:
        """Whether one more request may go: all up to `size` before it must be answered."""
        return not self.outstanding or self.next_id < self.outstanding[0].message_id + self.size

    def widen(self, size: int) -> None:
        """The peer keeps state for so many; what it once said holds (RFC 7296 section 2.3)."""
        self.size = max(self.size, min(size, MAX_OUTSTANDING))

    def find(self, message_id: int) -> Outstanding | None:
        """The request of this message ID that is not answered yet, or None."""
        return next((one for one in self.outstanding if one.message_id == message_id), None)

    def sent(self, outstanding: Outstanding) -> None:
        """A request went out with the next message ID."""
        assert self.has_room
        assert outstanding.message_id == self.next_id
        self.outstanding = (*self.outstanding, outstanding)
        self.next_id += 1

    def answered(self, answered: Outstanding) -> None:
        """This request is answered."""
        self.outstanding = tuple(one for one in self.outstanding if one is not answered)

    def abandoned(self) -> tuple[Outstanding, ...]:
        """All requests that are out are given up."""
        outstanding, self.outstanding = self.outstanding, ()
        return outstanding


class ResponseWindow:
    """The peer's requests: the one expected next, and the answers to those before.

    `partial` is what has come of the one expected next, if it comes in fragments.
    """

    __slots__ = ("_repeated_at", "_served", "_wide", "expected_id", "last_response", "partial")

    def __init__(self, expected_id: int = 0) -> None:
        self.expected_id = expected_id
        self._served: Served | None = None
        self.last_response: Datagrams = ()
        self.partial: FragmentSet | None = None
        self._repeated_at = -math.inf
        self._wide: _Wide | None = None

    @property
    def pending(self) -> bool:
        """Whether a request is being served: the one with the message ID that is expected."""
        return self._served is not None

    @property
    def served(self) -> Served:
        """The request that is being served; there must be one."""
        assert self._served is not None
        return self._served

    def classify(self, message_id: int, size: int = 1) -> Arrival:
        """Fresh, early, already answered, or neither; one that is being served is neither."""
        if message_id == self.expected_id and not self.pending:
            return Arrival.FRESH
        if self.expected_id < message_id < self.expected_id + size:
            return Arrival.EARLY
        if message_id + 1 == self.expected_id and self.last_response:
            return Arrival.REPEATED
        if self._wide is not None and message_id in self._wide.former:
            return Arrival.REPEATED
        return Arrival.OUTSIDE

    def begin(self, message_id: int, served: Served) -> None:
        """This request is being served."""
        assert message_id == self.expected_id
        self._served = served
        self.partial = None

    def complete(self, response: Datagrams, size: int = 1) -> None:
        """The request that was being served is answered by these datagrams."""
        if size > 1 and self.last_response:
            self._keep_former(size)
        self._served = None
        self.last_response = response
        self._repeated_at = -math.inf
        self.expected_id += 1

    def _keep_former(self, size: int) -> None:
        wide = self._wide = self._wide or _Wide()
        wide.former[self.expected_id - 1] = _Kept(self.last_response, self._repeated_at)
        while len(wide.former) >= size:
            del wide.former[next(iter(wide.former))]

    def repeat(self, message_id: int, now: float) -> Datagrams:
        """The answer to this request; nothing if it was repeated only just now."""
        if message_id + 1 != self.expected_id:
            assert self._wide is not None
            kept = self._wide.former[message_id]
            if now - kept.repeated_at < MIN_REPEAT_INTERVAL:
                return ()
            kept.repeated_at = now
            return kept.response
        if now - self._repeated_at < MIN_REPEAT_INTERVAL:
            return ()
        self._repeated_at = now
        return self.last_response

    @property
    def answers(self) -> tuple[tuple[int, Datagrams], ...]:
        """The answers that may be asked for again, the last one last."""
        former = self._wide.former if self._wide is not None else {}
        last = ((self.expected_id - 1, self.last_response),) if self.last_response else ()
        return (*((message_id, kept.response) for message_id, kept in former.items()), *last)

    def put_back(self, answers: tuple[tuple[int, Datagrams], ...]) -> None:
        """After a restart: these are the answers."""
        *former, (_, self.last_response) = answers
        if former:
            self._wide = _Wide()
            self._wide.former = {one: _Kept(response, -math.inf) for one, response in former}

    # Requests that have overtaken others.

    def early(self, message_id: int) -> Early | None:
        """What has come of a request that is early, or None."""
        return self._wide.early.get(message_id) if self._wide is not None else None

    def hold(self, message_id: int, early: Early) -> None:
        """Keep a request, or a part of it, until its turn comes."""
        self._wide = self._wide or _Wide()
        self._wide.early[message_id] = early

    @property
    def held(self) -> tuple[Early, ...]:
        """All early requests, whole or in parts."""
        return tuple(self._wide.early.values()) if self._wide is not None else ()

    def take_next(self) -> Early | None:
        """The request expected next, where it is here already; a part of it waits for the rest."""
        if self._wide is None or self.pending:
            return None
        early = self._wide.early.pop(self.expected_id, None)
        if early is not None and early.opened is None:
            self.partial = early.partial
            return None
        return early

    def forget_held(self) -> None:
        """No request is served any more."""
        self.partial = None
        if self._wide is not None:
            self._wide.early.clear()
