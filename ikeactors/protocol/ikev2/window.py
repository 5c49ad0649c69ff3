"""Message IDs and windows, of size one in both directions (RFC 7296 sections 2.1 to 2.3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.exchange import Exchange

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
    """A request of ours that is not answered yet; its octets are sent again unchanged."""

    message_id: int
    octets: bytes
    exchange: Exchange
    tries: int = 0


@dataclass(frozen=True, slots=True)
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
    """The peer's requests: the one expected next, and the answer to the one before."""

    __slots__ = ("_repeated_at", "_served", "expected_id", "last_response")

    def __init__(self, expected_id: int = 0) -> None:
        self.expected_id = expected_id
        self._served: Served | None = None
        self.last_response = b""
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

    def complete(self, response: bytes) -> None:
        """The request that was being served is answered by these octets."""
        self._served = None
        self.last_response = response
        self._repeated_at = float("-inf")
        self.expected_id += 1

    def repeat(self, now: float) -> bytes | None:
        """The octets of the last response, unless they were repeated only just now."""
        if now - self._repeated_at < MIN_REPEAT_INTERVAL:
            return None
        self._repeated_at = now
        return self.last_response
