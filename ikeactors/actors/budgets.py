"""What one peer may cost, and all of them: associations, messages, time, and who is suspect.

Only what is active is counted: each span begins with empty tables, so an association at rest has
nothing here. What is over its budget is dropped as if the network had lost it; a peer sends it
again.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from ikeactors.actors.mailbox import Mailbox
from ikeactors.protocol.events import Address

# The specification's: what a provider gives to one site in IPv6 is a /64 or wider.
_HOST_BITS = 64
# Seconds over which messages and time are counted: a burst is spread over as long.
SPAN = 10.0
# How long a failed IKE_AUTH is remembered, and how many make an address suspect: nobody mistypes a
# secret that often, and whoever guesses needs many thousands.
SUSPECT_FOR = 600.0
FAILURES = 3
# Addresses with failures, some 200 octets each. Each has proven to be reachable at its address.
SUSPECTS_LIMIT = 10_000
# Octets of incomplete messages in all: a thousand of the largest. Half-open IKE SAs may have them
# too, and those are strangers'.
HOARD_LIMIT = 64 << 20

Origin = Address | int


def origin_of(address: Address) -> Origin:
    """What is held to one limit: an IPv4 address, and in IPv6 the /64, of which whoever has one
    address has all (RFC 8019 section 4.2)."""
    return address if address.version == 4 else int(address) >> _HOST_BITS


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Associations in all and of one address or IPv6 /64; of each association the messages a
    second and the part of a processor in per cent. 0 is without limit."""

    associations: int = 0
    associations_ip: int = 0
    messages: int = 0
    cpu: int = 0


@dataclass(frozen=True, slots=True)
class BudgetStatistics:
    """What was refused or dropped, how many were over their budgets in this span, how many
    addresses are suspect, and the octets of fragments that wait for the rest."""

    refused_associations: int
    dropped_messages: int
    busy: int
    suspects: int
    fragments: int


class Budgets:
    """The counts of this span, the associations of each address, and the failures of strangers."""

    def __init__(self, limits: BudgetLimits | None = None) -> None:
        self.limits = limits or BudgetLimits()
        self.suspects = Suspects()
        self.hoard = Hoard()
        self.is_timing = self.limits.cpu > 0
        self._messages_in_span = int(self.limits.messages * SPAN)
        self._seconds_in_span = self.limits.cpu / 100.0 * SPAN
        self._span_ends_at = float("-inf")
        self._messages: dict[Mailbox, int] = {}
        self._seconds: dict[Mailbox, float] = {}
        self._origins: dict[int, Origin] = {}
        self._associations: dict[Origin, int] = {}
        self._refused = 0
        self._dropped = 0

    # Messages and time.

    def allows(self, mailbox: Mailbox, now: float) -> bool:
        """Count a message to this association; whether it may have it."""
        if not self._messages_in_span and not self.is_timing:
            return True
        self._begin_span(now)
        messages = self._messages.get(mailbox, 0)
        is_over = self._seconds.get(mailbox, 0.0) > self._seconds_in_span and self.is_timing
        if is_over or (self._messages_in_span and messages >= self._messages_in_span):
            self._dropped += 1
            return False
        self._messages[mailbox] = messages + 1
        return True

    def charge(self, mailbox: Mailbox, seconds: float, now: float) -> None:
        """A step of this association, begun at `now`, has taken so long."""
        self._begin_span(now)
        self._seconds[mailbox] = self._seconds.get(mailbox, 0.0) + seconds

    def _begin_span(self, now: float) -> None:
        if now >= self._span_ends_at:
            self._span_ends_at = now + SPAN
            self._messages.clear()
            self._seconds.clear()

    # Associations.

    def admits(self, address: Address, associations: int) -> bool:
        """Whether one more responder may begin, for a peer at this address."""
        limits = self.limits
        of_address = self._associations.get(origin_of(address), 0)
        is_full = 0 < limits.associations <= associations
        if is_full or 0 < limits.associations_ip <= of_address:
            self._refused += 1
            return False
        return True

    def joined(self, number: int, address: Address) -> None:
        """A responder begins."""
        if self.limits.associations_ip:
            origin = self._origins[number] = origin_of(address)
            self._associations[origin] = self._associations.get(origin, 0) + 1

    def left(self, number: int) -> None:
        """An association is no more; it need not be a responder's."""
        origin = self._origins.pop(number, None)
        if origin is None:
            return
        self._associations[origin] -= 1
        if not self._associations[origin]:
            del self._associations[origin]

    def statistics(self, now: float) -> BudgetStatistics:
        """What the admin socket shows."""
        over = sum(count >= self._messages_in_span > 0 for count in self._messages.values())
        if self.is_timing:
            over += sum(spent > self._seconds_in_span for spent in self._seconds.values())
        suspects = self.suspects.count(now)
        return BudgetStatistics(self._refused, self._dropped, over, suspects, self.hoard.octets)


class Hoard:
    """Octets that all associations keep for want of the rest of a message.

    They are given back when what holds them is gone, whatever way it goes: answered, replaced,
    expired, or with an association that crashed.
    """

    def __init__(self, limit: int = HOARD_LIMIT) -> None:
        self._limit = limit
        self._held: dict[int, tuple[weakref.ref[object], int]] = {}
        # Steps run in worker threads as well, and what goes there is released there.
        self._lock = threading.RLock()
        self.octets = 0

    def hold(self, holder: object, octets: int) -> bool:
        """Count octets that `holder` keeps from now on, if there is room for them."""
        with self._lock:
            if self.octets + octets > self._limit:
                return False
            key = id(holder)
            reference, held = self._held.get(key) or (weakref.ref(holder, self._release(key)), 0)
            self._held[key] = reference, held + octets
            self.octets += octets
            return True

    def _release(self, key: int) -> Callable[[object], None]:
        def release(_: object) -> None:
            with self._lock:
                self.octets -= self._held.pop(key)[1]

        return release


class Suspects:
    """Addresses whose IKE_AUTH has failed, and until when that is remembered."""

    def __init__(self) -> None:
        self._by_origin: dict[Origin, tuple[int, float]] = {}
        self._newest_until = self._looked_at = float("-inf")

    def note(self, address: Address, now: float) -> None:
        """A peer at this address could not prove who it is; the oldest is forgotten for it."""
        origin = origin_of(address)
        failures, until = self._by_origin.pop(origin, (0, 0.0))
        if now >= until:
            failures = 0
        if len(self._by_origin) >= SUSPECTS_LIMIT:
            del self._by_origin[next(iter(self._by_origin))]
        self._newest_until = now + SUSPECT_FOR
        self._by_origin[origin] = (failures + 1, self._newest_until)

    def has(self, address: Address, now: float) -> bool:
        """Whether a peer at this address is looked at twice (RFC 8019 section 4.2)."""
        self._looked_at = now
        failures, until = self._by_origin.get(origin_of(address), (0, 0.0))
        return failures >= FAILURES and now < until

    @property
    def is_quiet(self) -> bool:
        """Whether no IKE_AUTH has failed lately, when a stranger was looked at the last time.

        Steps in worker threads ask this, where there is no clock.
        """
        return self._looked_at >= self._newest_until

    def count(self, now: float) -> int:
        """How many there are."""
        return sum(
            failures >= FAILURES and now < until for failures, until in self._by_origin.values()
        )
