"""A simulated kernel: a back end with the kernel's semantics and a script of what goes wrong.

SAs and policies are kept as a kernel keeps them: EEXIST for an SA that is there, ESRCH for one
that is not, one policy for each key. `calls` records what was asked.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence

import trio

from ikeactors.actors.backends import EventQueue, KernelEvent
from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import (
    KernelRefusal,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged


class SimulatedKernel:
    """A data plane in memory."""

    name = "simulated"

    def __init__(self) -> None:
        self.sas: dict[SaId, SaRequest] = {}
        self.policies: dict[PolicyKey, PolicyRequest] = {}
        self.used: dict[SaId, SaUsage] = {}
        self.calls: list[str] = []
        self.is_open = True
        self._refusals: deque[KernelRefusal] = deque()
        self._events = EventQueue()

    def refuse_next(self, number: int, text: str = "scripted") -> None:
        """Refuse the next installation or move."""
        self._refusals.append(KernelRefusal(number, text))

    def expire(self, sa_id: SaId, hard: bool = True) -> None:
        """End an SA's lifetime."""
        if hard:
            del self.sas[sa_id]
        self._events.post(SaExpired(sa_id, hard))

    def change_mapping(self, sa_id: SaId, remote: Endpoint) -> None:
        """Let ESP of an SA come from elsewhere."""
        self._events.post(SaMappingChanged(sa_id, remote))

    def post(self, event: KernelEvent) -> None:
        """Any event."""
        self._events.post(event)

    def lose_events(self) -> None:
        """Overflow the events' socket."""
        self._events.lose()

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        await self._called("install", sas, policies)
        if self._refusals:
            raise self._refusals.popleft()
        if any(request.sa_id in self.sas for request in sas):
            raise KernelRefusal(errno.EEXIST, "the SA is there already")
        self.sas |= {request.sa_id: request for request in sas}
        self.policies |= {key_of(policy): policy for policy in policies}
        self._added(sas)
        await self.pause()

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        await self._called("remove", sas, policies)
        gone = [self.sas.pop(sa_id) for sa_id in sas if sa_id in self.sas]
        for policy in policies:
            self.policies.pop(key_of(policy), None)
        self._removed(gone)
        await self.pause()

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        await self._called("move", sas, policies)
        if self._refusals:
            raise self._refusals.popleft()
        for sa_id, request in zip(old, sas, strict=True):
            if self.sas.pop(sa_id, None) is None and request.sa_id not in self.sas:
                raise KernelRefusal(errno.ESRCH, "the SA is not there")
            self.sas[request.sa_id] = request
            self._moved(sa_id, request)
        for policy in old_policies:
            self.policies.pop(key_of(policy), None)
        self.policies |= {key_of(policy): policy for policy in policies}
        await self.pause()

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        await self._called("usage", sa_ids, ())
        return [
            self.used.get(sa_id, SaUsage(sa_id, 0, 0, 0.0)) for sa_id in sa_ids if sa_id in self.sas
        ]

    def events(self) -> EventQueue:
        return self._events

    async def aclose(self) -> None:
        self.is_open = False
        await self.pause()

    async def pause(self) -> None:
        """Every wait is here: who is to die in one does it here."""
        await trio.lowlevel.checkpoint()

    def _added(self, sas: Sequence[SaRequest]) -> None:
        """Told of each installation that succeeds."""

    def _removed(self, sas: Sequence[SaRequest]) -> None:
        """Told of SAs that are there no more."""

    def _moved(self, old: SaId, new: SaRequest) -> None:
        """Told of an SA that has another name now."""

    async def _called(self, name: str, sas: Sequence[object], policies: Sequence[object]) -> None:
        self.calls.append(f"{name} {len(sas)} {len(policies)}")
        await self.pause()


class Inbox:
    """A mailbox that only keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.is_full = False

    def post(self, event: object) -> bool:
        if not self.is_full:
            self.events.append(event)
        return not self.is_full

    def post_assured(self, event: object) -> None:
        self.events.append(event)
