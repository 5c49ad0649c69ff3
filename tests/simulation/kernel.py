"""A host's kernel: SAs and policies with the kernel's semantics, and packets through them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random

import trio

from ikeactors.kernel.requests import (
    Direction,
    KernelRefusal,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.kernel import SimulatedKernel
from tests.simulation.network import Datagram, Esp


@dataclass
class Traffic:
    """What went through an SA, and how it ages."""

    added_at: float
    order: int
    packets: int = 0
    dying: bool = False
    seen: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a probe where it was looked at, and by which SA."""

    word: str
    spi: int = 0


# Called with each change: "install" or "remove", and the SAs.
Watch = Callable[[str, Sequence[SaRequest]], None]


class HostKernel(SimulatedKernel):
    """The data plane of one host. `faults` are those in force."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.faults: Mapping[str, float] = {}
        self.traffic: dict[SaId, Traffic] = {}
        self.watch: Watch = lambda change, sas: None
        self._chance = chance
        self._orders = 0

    # What the daemon asks for.

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        if sas and self._chance.random() < self.faults.get("refuse", 0.0):
            number = self._chance.choice((errno.ENOMEM, errno.EEXIST, errno.ENOBUFS))
            await self.pause()
            raise KernelRefusal(number, "simulated")
        await super().install(sas, policies)

    def _added(self, sas: Sequence[SaRequest]) -> None:
        for request in sas:
            self._orders += 1
            self.traffic[request.sa_id] = Traffic(trio.current_time(), self._orders)
        self.watch("install", sas)

    def _removed(self, sas: Sequence[SaRequest]) -> None:
        for request in sas:
            self.traffic.pop(request.sa_id, None)
        self.watch("remove", sas)

    def _moved(self, old: SaId, new: SaRequest) -> None:
        if old in self.traffic:
            self.traffic[new.sa_id] = self.traffic.pop(old)

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        there = await super().usage(sa_ids)
        return [SaUsage(one.sa_id, 0, self.traffic[one.sa_id].packets, 0.0) for one in there]

    async def pause(self) -> None:
        """A reply takes its time."""
        longest = self.faults.get("slow-kernel", 0.0)
        if longest:
            await trio.sleep(self._chance.uniform(0.0, longest))
        else:
            await trio.lowlevel.checkpoint()

    # What happens to it.

    def tick(self, now: float) -> None:
        """End what has lived its time."""
        for sa_id, request in list(self.sas.items()):
            hard = request.lifetime.hard_seconds
            if hard and now - self.traffic[sa_id].added_at >= hard:
                self.expire(sa_id)

    def expire(self, sa_id: SaId, hard: bool = True) -> None:
        request = self.sas[sa_id]
        super().expire(sa_id, hard)
        if hard:
            self._removed((request,))
        else:
            self.traffic[sa_id].dying = True

    def flush(self) -> None:
        """Somebody else removes every SA; the kernel says nothing of it, but for lost events."""
        gone = tuple(self.sas.values())
        self.sas.clear()
        self._removed(gone)
        self.lose_events()

    # Packets.

    def protect(self, source: IPv4Address, destination: IPv4Address) -> SaRequest | Fate:
        """The SA that a packet leaves by; it is counted."""
        policy = self._policy(Direction.OUT, source, destination)
        if policy is None:
            return Fate("no-policy")
        sa = self.newest_outbound(policy.reqid, policy.tunnel_destination)
        if sa is None:
            return Fate("no-sa")
        self._count(sa)
        return sa

    def sequence_of(self, sa: SaRequest) -> int:
        """The sequence number of the packet that was counted last."""
        return self.traffic[sa.sa_id].packets if sa.sa_id in self.traffic else 0

    def accept(self, datagram: Datagram, esp: Esp) -> Fate:
        """A packet comes in: decrypted, checked for replays and against the policies."""
        destination = datagram.destination.address
        sa = self.inbound(esp.spi, destination)
        if sa is None:
            return Fate("no-inbound-sa", esp.spi)
        if sa.encr_key != esp.key:
            return Fate("wrong-key", esp.spi)
        traffic = self.traffic[sa.sa_id]
        if esp.sequence in traffic.seen:
            return Fate("replayed", esp.spi)
        traffic.seen.add(esp.sequence)
        self._follow(sa, datagram)
        policies = self._policies(Direction.IN, esp.source, esp.destination)
        if not any(one.reqid == sa.reqid for one in policies):
            return Fate("no-inbound-policy", esp.spi)
        self._count(sa)
        return Fate("arrived", esp.spi)

    def inbound(self, spi: int, destination: Address) -> SaRequest | None:
        """The inbound SA of an SPI."""
        return next(
            (
                sa
                for sa in self.sas.values()
                if sa.spi == spi and sa.direction is Direction.IN and sa.destination == destination
            ),
            None,
        )

    def newest_outbound(self, reqid: int, destination: Address) -> SaRequest | None:
        """The SA that the kernel takes: not a dying one where there is another; the youngest."""
        fitting = [
            sa
            for sa in self.sas.values()
            if sa.direction is Direction.OUT and sa.reqid == reqid and sa.destination == destination
        ]
        return max(fitting, key=self._preference, default=None)

    def _preference(self, sa: SaRequest) -> tuple[bool, int, int]:
        traffic = self.traffic[sa.sa_id]
        return not traffic.dying, int(traffic.added_at), traffic.order

    def _policy(
        self, direction: Direction, source: Address, destination: Address
    ) -> PolicyRequest | None:
        return next(iter(self._policies(direction, source, destination)), None)

    def _policies(
        self, direction: Direction, source: Address, destination: Address
    ) -> list[PolicyRequest]:
        return [
            policy
            for policy in self.policies.values()
            if policy.direction is direction
            and _covers(policy.source, source)
            and _covers(policy.destination, destination)
        ]

    def _count(self, sa: SaRequest) -> None:
        traffic = self.traffic[sa.sa_id]
        traffic.packets += 1
        lifetime = sa.lifetime
        if lifetime.hard_packets and traffic.packets >= lifetime.hard_packets:
            self.expire(sa.sa_id)
        elif not traffic.dying and 0 < lifetime.soft_packets <= traffic.packets:
            self.expire(sa.sa_id, hard=False)

    def _follow(self, sa: SaRequest, datagram: Datagram) -> None:
        """Say where the packet came from, where that is news (km_new_mapping)."""
        if sa.encapsulation is None or not datagram.source.port:
            return
        known = Endpoint(sa.source, sa.encapsulation.source_port)
        if known != datagram.source:
            self.change_mapping(sa.sa_id, datagram.source)


def _covers(selector: TrafficSelector, address: Address) -> bool:
    return int(selector.start) <= int(address) <= int(selector.end)
