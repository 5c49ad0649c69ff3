"""A simulated kernel: a back end with the kernel's semantics and a script of what goes wrong.

SAs and policies are kept as a kernel keeps them: EEXIST for an SA that is there, ESRCH for one
that is not, one policy for each key. What names an SA is its SPI, protocol and destination, and
its mark as `is_marked` says; its source is not part of it. `tests/realkernel` holds this against
a real kernel. `calls` records what was asked.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import trio

from ikeactors.actors.backends import EventQueue, KernelEvent
from ikeactors.iana import ProtocolId
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.policies import PolicyKey, key_of, priority_of
from ikeactors.kernel.replay import MAX_REPLAY_WINDOW
from ikeactors.kernel.requests import (
    Address,
    Direction,
    KernelRefusal,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged

# What an SA has for itself, but for marks: SPI, protocol, destination.
Place = tuple[int, ProtocolId, Address]


class SimulatedKernel:
    """A data plane in memory."""

    name = "simulated"

    def __init__(self) -> None:
        self.sas: dict[SaId, SaRequest] = {}
        self.policies: dict[PolicyKey, PolicyRequest] = {}
        self.used: dict[SaId, SaUsage] = {}
        # SPIs that another program has reserved.
        self.larval: set[Place] = set()
        # What was asked for, whatever others have done since; and what is theirs.
        self.asked: dict[PolicyKey, PolicyRequest] = {}
        self.foreign: set[SaId] = set()
        self.foreign_policies: set[PolicyKey] = set()
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
        before = dict(self.sas)
        try:
            for request in sas:
                self._add(request)
            for policy in policies:
                _check_policy(policy)
        except KernelRefusal:
            self.sas = before
            raise
        self._put(policies)
        self._added(sas)
        await self.pause()

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        await self._called("remove", sas, policies)
        found = [(sa_id, self._take(sa_id)) for sa_id in sas]
        self._drop(policies)
        self._removed([gone for _, gone in found if gone is not None])
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
            self._move(sa_id, request)
        for policy in policies:
            _check_policy(policy)
        kept = {key_of(policy) for policy in policies}
        self._put(policies)
        self._drop([one for one in old_policies if key_of(one) not in kept])
        await self.pause()

    def reserve(self, sa_id: SaId) -> None:
        """Another program reserves an SPI: no SA of that protocol may have it, to whomever."""
        taken = {(one.spi, one.protocol) for one in self.sas} | {one[:2] for one in self.larval}
        if (sa_id.spi, sa_id.protocol) in taken:
            raise KernelRefusal(errno.ENOENT, "there is no such SPI left")
        self.larval.add(_place(sa_id))

    def find(self, sa_id: SaId) -> SaRequest | None:
        """The SA that the kernel means by a name: the youngest that it fits."""
        exact = self.sas.get(sa_id)
        if exact is not None and sa_id.mark is None:
            return exact
        fitting = (one for one in reversed(self.sas.values()) if _is_named(one, sa_id))
        return next(fitting, None)

    def is_larval(self, sa_id: SaId) -> bool:
        """Whether a name is that of an SA that is only reserved."""
        return _place(sa_id) in self.larval

    def _add(self, request: SaRequest) -> None:
        _check_sa(request)
        if self._is_taken(request.sa_id):
            raise KernelRefusal(errno.EEXIST, "the SA is there already")
        self.sas[request.sa_id] = request

    def _take(self, sa_id: SaId) -> SaRequest | None:
        """What is there of this name goes. A larval SA is never older than another."""
        if self.is_larval(sa_id):
            self.larval.remove(_place(sa_id))
            return None
        found = self.find(sa_id)
        return None if found is None else self.sas.pop(found.sa_id)

    def _move(self, sa_id: SaId, request: SaRequest) -> None:
        _check_sayable(request)
        is_larval, found = self.is_larval(sa_id), self.find(sa_id)
        if found is None and not is_larval:
            if sa_id != request.sa_id and self._is_taken(request.sa_id):
                return
            raise KernelRefusal(errno.ESRCH, "the SA is not there")
        if found is not None and not is_larval and _is_updated(found, sa_id, request):
            self._update(found, request)
            return
        taken = self._take(sa_id)
        try:
            self._add(request)
        except KernelRefusal:
            self._removed([] if taken is None else [taken])
            raise
        if taken is None:
            self._added([request])
        else:
            self._moved(taken.sa_id, request)

    def _update(self, found: SaRequest, request: SaRequest) -> None:
        """In place, the kernel takes other ports and limits, and what else is not nothing."""
        _check_sa(request)
        updated = replace(
            found,
            encapsulation=request.encapsulation,
            lifetime=request.lifetime,
            output_mark=request.output_mark or found.output_mark,
            if_id=request.if_id or found.if_id,
        )
        self.sas[found.sa_id] = updated
        self._moved(found.sa_id, updated)

    def _is_taken(self, sa_id: SaId) -> bool:
        return self.find(sa_id) is not None or self.is_larval(sa_id)

    def _put(self, policies: Sequence[PolicyRequest]) -> None:
        for policy in policies:
            self.asked[key_of(policy)] = policy
            before = self.policies.get(key_of(policy))
            if before is not None and priority_of(before) != priority_of(policy):
                # Of another priority it stands behind its new equals, as a new one does.
                del self.policies[key_of(policy)]
            self.policies[key_of(policy)] = policy

    def _drop(self, policies: Sequence[PolicyRequest]) -> None:
        for policy in policies:
            self.asked.pop(key_of(policy), None)
            self.policies.pop(key_of(policy), None)

    async def inventory(self) -> Inventory:
        await self.pause()
        there = self.policies.keys() - self.foreign_policies
        return Inventory(
            frozenset(self.sas.keys() - self.foreign),
            frozenset(self.foreign & self.sas.keys()),
            len(there),
            len(self.foreign_policies),
            missing=tuple(one for key, one in self.asked.items() if key not in self.policies),
            strays=tuple(
                _stray(one)
                for key, one in self.policies.items()
                if key not in self.asked and key not in self.foreign_policies
            ),
        )

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        await self.pause()
        return [one for one in policies if key_of(one) not in self.policies]

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        await self.install((), policies)

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        await self._called("clear", (), strays)
        names = {one.name for one in strays}
        gone = [
            key
            for key, one in self.policies.items()
            if _stray(one).name in names and key not in self.asked
        ]
        for key in gone:
            del self.policies[key]

    def forget_process(self) -> None:
        """Another process asks from now on: what is there nobody has asked for."""
        self.asked = {}

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        await self._called("usage", sa_ids, ())
        return [
            self.used.get(sa_id, SaUsage(sa_id, 0, 0, 0.0))
            for sa_id in sa_ids
            if self._is_taken(sa_id)
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


def _stray(policy: PolicyRequest) -> StrayPolicy:
    key = key_of(policy)
    return StrayPolicy(repr(key).encode(), policy.direction, policy.reqid, str(policy.source))


def _place(sa_id: SaId) -> Place:
    return sa_id.spi, sa_id.protocol, sa_id.destination


def _is_named(request: SaRequest, sa_id: SaId) -> bool:
    return _place(request.sa_id) == _place(sa_id) and is_marked(request.mark, sa_id.mark)


def is_marked(own: Mark | None, asked: Mark | None) -> bool:
    """Whether something with a mark of its `own` is found by one that is asked for."""
    value = 0 if asked is None else asked.value & asked.mask
    return own is None or value & own.mask == own.value


def _is_updated(found: SaRequest, sa_id: SaId, request: SaRequest) -> bool:
    """Whether an SA stays what it is: not where it comes into UDP or out of it."""
    is_in_udp = (found.encapsulation is not None, request.encapsulation is not None)
    return sa_id == request.sa_id and len(set(is_in_udp)) == 1


def _check_sayable(request: SaRequest) -> None:
    if request.protocol == ProtocolId.AH and request.encapsulation is not None:
        raise KernelRefusal(errno.EINVAL, "AH is never in UDP")


def _check_sa(request: SaRequest) -> None:
    _check_sayable(request)
    if request.replay_window > MAX_REPLAY_WINDOW and request.direction is Direction.IN:
        raise KernelRefusal(errno.EINVAL, "a replay window is at most that wide")


def _check_policy(policy: PolicyRequest) -> None:
    families = policy.source.start.version, policy.tunnel_source.version
    is_protected = policy.action is PolicyAction.PROTECT
    if is_protected and policy.mode is Mode.TRANSPORT and len(set(families)) > 1:
        raise KernelRefusal(errno.EINVAL, "transport mode does not change the family")


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
