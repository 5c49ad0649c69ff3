"""The userspace data plane as a back end of the kernel actor, and the actor that reads its TUN.

All state is in the objects here, which outlive both actors: a successor goes on with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import time

import trio

from ikeactors.actors.backends import EventQueue
from ikeactors.actors.routes import Routes, Routing
from ikeactors.actors.userspace.plane import Plane, PlaneStatistics, Send
from ikeactors.actors.userspace.routes import DEFAULT_MTU, DeviceWay
from ikeactors.actors.userspace.tun import Tun
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import KernelRefusal, PolicyRequest, SaId, SaRequest, SaUsage

DEFAULT_DEVICE = "ike0"
DEFAULT_ROUTING = Routing()

# Ours: packets read before others have their turn; at 20 us a packet about a millisecond.
DRAIN_LIMIT = 64


class UserspaceBackend:
    """ESP in Python over a TUN device, always in UDP."""

    name = "userspace"

    def __init__(self, plane: Plane, tun: Tun, routes: Routes) -> None:
        self.plane = plane
        self.tun = tun
        self._routes = routes
        self._wait: trio.CancelScope | None = None

    @classmethod
    async def open(
        cls,
        send: Send,
        entropy: Callable[[int], bytes],
        device: str = DEFAULT_DEVICE,
        mtu: int = DEFAULT_MTU,
        routing: Routing = DEFAULT_ROUTING,
    ) -> UserspaceBackend:
        """Make the TUN device, its routing table and an empty plane."""
        with ExitStack() as on_failure:
            tun = Tun.open(device)
            on_failure.callback(tun.close)
            routes = Routes(DeviceWay(tun.name, mtu), routing)
            await routes.open()
            on_failure.pop_all()
        plane = Plane(send, tun.write, entropy, trio.current_time, time)
        return cls(plane, tun, routes)

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        await self._routes.add(policies)
        try:
            self.plane.install(sas, policies)
        except KernelRefusal:
            await self._routes.remove(policies)
            raise
        self._look_at_deadline()

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        self.plane.remove(sas, policies)
        await self._routes.remove(policies)

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        self.plane.move(old, sas, old_policies, policies)
        await self._routes.add(policies)
        kept = {key_of(one) for one in policies}
        await self._routes.remove([one for one in old_policies if key_of(one) not in kept])

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        return self.plane.usage(sa_ids)

    async def inventory(self) -> Inventory:
        return self.plane.inventory()

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        return self.plane.lacking(policies)

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        self.plane.install((), policies)

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        """There are none: what is here, the kernel actor has asked for."""

    def events(self) -> EventQueue:
        return self.plane.events

    def statistics(self) -> PlaneStatistics:
        return self.plane.statistics()

    async def sweep(self) -> None:
        """Take away the routes that a predecessor has left and nobody needs."""
        await self._routes.sweep()

    async def aclose(self) -> None:
        try:
            await self._routes.aclose()
        finally:
            self.tun.close()

    async def wait_for_packet(self) -> None:
        """Wait until the TUN device has a packet, or a lifetime is over."""
        with trio.CancelScope(deadline=self.plane.deadline) as self._wait:
            await trio.lowlevel.wait_readable(self.tun)
        self._wait = None

    def _look_at_deadline(self) -> None:
        if self._wait is not None:
            self._wait.deadline = self.plane.deadline


async def run_userspace(backend: UserspaceBackend) -> None:
    """Seal what the host sends and end lifetimes, for ever."""
    plane, read = backend.plane, backend.tun.read
    while True:
        await backend.wait_for_packet()
        plane.expire()
        for _ in range(DRAIN_LIMIT):
            packet = read()
            if packet is None:
                break
            plane.transmit(packet)
