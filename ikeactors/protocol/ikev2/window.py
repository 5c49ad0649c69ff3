"""Message IDs and windows, of size one in both directions (RFC 7296 sections 2.1 to 2.3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.exchange import Exchange, Payloads
from ikeactors.quick import quick

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.reassembly import FragmentSet

# A message as it went out: one datagram, or one a fragment.
Datagrams = tuple[bytes, ...]

# The specification's: a message ID never wraps; the IKE SA is rekeyed or closed before.
MAX_MESSAGE_ID = 0xFFFFFFFF

# Ours: repeated requests are answered at most this often a second, whatever the peer sends.
MIN_REPEAT_INTERVAL = 0.05


class Arrival(enum.Enum):
    """What a request's message ID says about it."""

    FRESH = "fresh"
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


@quick
class Served:
    """A request that is being served: its answer goes from where to where it came."""

    exchange: ExchangeType
    local: Endpoint
    remote: Endpoint


class RequestWindow:
    """Our requests: one at a time, numbered from 0."""

    __slots__ = ("next_id", "outstanding")

    def __init__(self, next_id: int = 0) -> None:
        self.next_id = next_id
        self.outstanding: Outstanding | None = None

    @property
    def is_exhausted(self) -> bool:
        """Whether the message IDs are used up."""
        return self.next_id > MAX_MESSAGE_ID

    def sent(self, outstanding: Outstanding) -> None:
        """A request went out with the next message ID."""
        assert self.outstanding is None
        assert outstanding.message_id == self.next_id
        self.outstanding = outstanding
        self.next_id += 1

    def answered(self) -> None:
        """The request is answered, or given up."""
        self.outstanding = None


class ResponseWindow:
    """The peer's requests: the one expected next, and the answer to the one before.

    `partial` is what has come of the one expected next, if it comes in fragments.
    """

    __slots__ = ("_repeated_at", "_served", "expected_id", "last_response", "partial")

    def __init__(self, expected_id: int = 0) -> None:
        self.expected_id = expected_id
        self._served: Served | None = None
        self.last_response: Datagrams = ()
        self.partial: FragmentSet | None = None
        self._repeated_at = float("-inf")

    @property
    def pending(self) -> bool:
        """Whether a request is being served: the one with the message ID that is expected."""
        return self._served is not None

    @property
    def served(self) -> Served:
        """The request that is being served; there must be one."""
        assert self._served is not None
        return self._served

    def classify(self, message_id: int) -> Arrival:
        """Fresh, already answered, or neither; one that is being served is neither."""
        if message_id == self.expected_id and not self.pending:
            return Arrival.FRESH
        if message_id + 1 == self.expected_id and self.last_response:
            return Arrival.REPEATED
        return Arrival.OUTSIDE

    def begin(self, message_id: int, served: Served) -> None:
        """This request is being served."""
        assert message_id == self.expected_id
        self._served = served
        self.partial = None

    def complete(self, response: Datagrams) -> None:
        """The request that was being served is answered by these datagrams."""
        self._served = None
        self.last_response = response
        self._repeated_at = float("-inf")
        self.expected_id += 1

    def repeat(self, now: float) -> Datagrams:
        """The last response; nothing if it was repeated only just now."""
        if now - self._repeated_at < MIN_REPEAT_INTERVAL:
            return ()
        self._repeated_at = now
        return self.last_response
