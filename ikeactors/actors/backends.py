"""What every data plane offers the kernel actor, and the queue its events wait in."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.requests import PolicyRequest, SaId, SaRequest, SaUsage
from ikeactors.protocol.events import SaExpired, SaMappingChanged, Trigger

# Ours: more events than this wait only where nobody has looked for seconds; then a look at what is
# installed tells more than they do.
MAX_WAITING_EVENTS = 4096


@dataclass(frozen=True, slots=True)
class Acquired:
    """A packet falls under a policy that has no SA; it is held for a while."""

    policy: PolicyRequest
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Somebody else has removed an SA, or more than that if there is none."""

    sa_id: SaId | None = None


KernelEvent = SaExpired | SaMappingChanged | Acquired | Disturbed


class EventsLost(Exception):
    """Events were lost: what is installed has to be compared with what should be."""


class Backend(Protocol):
    """A data plane. `install` is all or nothing; removing what is gone is no error."""

    @property
    def name(self) -> str: ...

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        """Add SAs, and put policies in force in place of those with the same key."""

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None: ...

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        """Give SAs other addresses or ports; counters and windows go with them."""

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        """What went through those of the SAs that are there."""

    async def inventory(self) -> Inventory:
        """All that is there, whoever has made it: looked at while others have their turn."""

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        """Those of the policies that are not there."""

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        """Put in force again what was installed and is not there any more."""

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        """Remove policies of ours that nobody asks for."""

    def events(self) -> AsyncIterator[KernelEvent]:
        """What happens to SAs, and packets that need one.

        Raises `EventsLost` once when some were lost, then goes on.
        """

    async def aclose(self) -> None: ...


class EventQueue:
    """Events of a data plane, for one reader; outlives the actor that reads it."""

    def __init__(self, limit: int = MAX_WAITING_EVENTS) -> None:
        self._events: deque[KernelEvent] = deque()
        self._limit = limit
        self._lost = False
        self._reader = trio.lowlevel.ParkingLot()

    def post(self, event: KernelEvent) -> None:
        """Add an event, never waiting: over the limit it is lost."""
        if len(self._events) >= self._limit:
            self._lost = True
        else:
            self._events.append(event)
        self._reader.unpark()

    def lose(self) -> None:
        """Say that events were lost before they came here."""
        self._lost = True
        self._reader.unpark()

    def __aiter__(self) -> EventQueue:
        return self

    async def __anext__(self) -> KernelEvent:
        while not self._events and not self._lost:
            await self._reader.park()
        if self._lost:
            # What waits is older than the comparison that follows.
            self._lost = False
            self._events.clear()
            raise EventsLost
        return self._events.popleft()
