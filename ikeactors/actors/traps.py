"""Policies without an SA: a packet that falls under one has the child negotiated.

The policies are the daemon's own. A Child SA's stand above them where they are the same, and before
them where they are narrower, so they are there again when it goes.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import trio

from ikeactors.actors.backends import Acquired
from ikeactors.actors.installed import OURSELVES
from ikeactors.actors.kernel import Command, KernelRequest
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.restarting import Locator, Unreachable
from ikeactors.actors.shunts import Unread
from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import Direction, PolicyRequest
from ikeactors.protocol.actions import InstallChildSa, Level, RemoveChildSa, Report
from ikeactors.protocol.events import Address, Trigger
from ikeactors.protocol.ikev2.child_sa import Covered, policies_between
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, Settings

Initiate = Callable[[str, str, Trigger], None]

# Ours: acquisitions that wait for the actor; a data plane asks once in seconds for each policy.
MAX_WAITING = 256
# SAs are found by their policies' reqid. Those of traps are above all that SAs have, and different
# ones, because the kernel asks once for each.
FIRST_REQID = 1 << 31


@dataclass(frozen=True, slots=True)
class Trap:
    """A child of a connection that a packet brings up."""

    connection: str
    child: str


@dataclass(slots=True)
class _Set:
    """What is in force for a trap."""

    reqid: int
    policies: tuple[PolicyRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class TrapStatistics:
    """Children that wait for a packet, and packets that had one negotiated."""

    traps: int
    policies: int
    acquisitions: int


class Traps:
    """Which there are, with their policies. Outlives its actor."""

    def __init__(
        self,
        settings: Settings,
        locator: Locator,
        kernel: trio.MemorySendChannel[Command],
        hub: ReportHub,
        initiate: Initiate,
    ) -> None:
        self._settings = settings
        self._locator = locator
        self._kernel = kernel
        self._hub = hub
        self._initiate = initiate
        self._reqids = itertools.count(FIRST_REQID)
        self._wanted = {trap: _Set(next(self._reqids)) for trap in _configured(settings)}
        self._unwanted: list[_Set] = []
        self._by_policy: dict[PolicyKey, Trap] = {}
        self._waiting: deque[Acquired] = deque(maxlen=MAX_WAITING)
        self._unreachable: dict[str, str] = {}
        self._is_stale = True
        self._stirred = trio.lowlevel.ParkingLot()
        self._acquisitions = 0
        self._may_begin = trio.Event()
        self.settled = trio.Event()

    def begin(self) -> None:
        """What has an SA already is known: from now on the rest is set."""
        self._may_begin.set()

    async def run(self) -> None:
        """The actor: keep the policies in force, and ask for what packets need."""
        await self._may_begin.wait()
        while True:
            while self._waiting:
                self._ask(self._waiting.popleft())
            if self._is_stale:
                self._is_stale = False
                await self._settle()
                self.settled.set()
            elif not self._waiting:
                await self._stirred.park()

    def acquired(self, event: Acquired) -> None:
        """A packet needs an SA. Never waits: over the limit the oldest is lost."""
        self._waiting.append(event)
        self._stirred.unpark()

    def add(self, connection: str, children: Sequence[str]) -> None:
        """Children that a packet is to bring up from now on."""
        for child in children:
            self._wanted.setdefault(Trap(connection, child), _Set(next(self._reqids)))
        self.look_around()

    def has(self, connection: str, child: str) -> bool:
        """Whether a packet is to bring this child up."""
        return Trap(connection, child) in self._wanted

    def remove(self, connection: str, children: Sequence[str]) -> None:
        """Children that no packet is to bring up any more."""
        for child in children:
            self._unwanted.append(self._wanted.pop(Trap(connection, child)))
        self.look_around()

    def look_around(self) -> None:
        """Where we call from may have changed."""
        self._is_stale = True
        self._stirred.unpark()

    @property
    def is_complete(self) -> bool:
        """Whether every child that waits for a packet has its policies."""
        return all(one.policies for one in self._wanted.values())

    def statistics(self) -> TrapStatistics:
        """What the admin socket shows."""
        return TrapStatistics(len(self._wanted), len(self._by_policy), self._acquisitions)

    def _ask(self, event: Acquired) -> None:
        trap = self._by_policy.get(key_of(event.policy))
        if trap is None:
            return
        self._acquisitions += 1
        source, destination = event.trigger.source, event.trigger.destination
        text = f"a packet from {source} to {destination} needs child {trap.child}"
        self._hub.publish(Report("child-sa-acquired", text, connection=trap.connection))
        self._initiate(trap.connection, trap.child, event.trigger)

    async def _settle(self) -> None:
        """Have the policies in force that are wanted, between the addresses of now."""
        while self._unwanted:
            gone = self._unwanted[-1].policies
            for policy in gone:
                self._by_policy.pop(key_of(policy), None)
            if gone:
                await self._send(RemoveChildSa((), gone))
            self._unwanted.pop()
        for trap, set_ in tuple(self._wanted.items()):
            before, policies = set_.policies, await self._policies_of(trap, set_.reqid)
            if policies is None or policies == before:
                continue
            # Above those before: between the two nothing must leave in the clear.
            await self._send(InstallChildSa(0, (), policies))
            set_.policies = policies
            outbound = (one for one in policies if one.direction == Direction.OUT)
            self._by_policy |= {key_of(one): trap for one in outbound}
            if before:
                await self._send(RemoveChildSa((), before))

    async def _send(self, action: InstallChildSa | RemoveChildSa) -> None:
        await self._kernel.send(KernelRequest(OURSELVES, action, Unread()))

    async def _policies_of(self, trap: Trap, reqid: int) -> tuple[PolicyRequest, ...] | None:
        """None where there is no way to the peer now: what was in force stays."""
        connection = self._settings.connection(trap.connection)
        child = connection.child(trap.child) if connection is not None else None
        assert connection is not None
        assert child is not None
        try:
            local, remote = await self._locator.ends(connection, None, 0)
        except Unreachable as fault:
            self._report_unreachable(trap.connection, str(fault))
            return None
        self._unreachable.pop(trap.connection, None)
        ends = local.address, remote.address
        return tuple(_trapping(connection, child, ends, reqid))

    def _report_unreachable(self, connection: str, why: str) -> None:
        if self._unreachable.get(connection) == why:
            return
        self._unreachable[connection] = why
        text = f"packets do not bring up {connection} yet: {why}"
        self._hub.publish(Report("trap-unreachable", text, Level.WARNING, connection))


def _configured(settings: Settings) -> Iterator[Trap]:
    for connection in settings.connections:
        for child in connection.children:
            if child.start_action.traps:
                yield Trap(connection.name, child.name)


def _trapping(
    connection: ConnectionSettings, child: ChildSettings, ends: tuple[Address, Address], reqid: int
) -> Iterator[PolicyRequest]:
    """The policies of a Child SA as it would be if the peer took all of our offer."""
    here, there = ends
    covered = Covered(
        child.proposals[0].protocol,
        child.mode,
        tuple(one.resolve(here) for one in child.local_ts),
        tuple(one.resolve(there) for one in child.remote_ts),
    )
    for policy in policies_between(ends, connection, child, covered, reqid):
        yield replace(policy, on_demand=policy.direction == Direction.OUT)
