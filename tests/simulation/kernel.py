"""A host's kernel: SAs and policies with the kernel's semantics, and packets through them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from random import Random

import trio

from ikeactors.actors.backends import EventQueue
from ikeactors.kernel.flows import Flow, Matcher
from ikeactors.kernel.policies import PolicyKey, key_of, priority_of
from ikeactors.kernel.requests import (
    Direction,
    KernelRefusal,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import Address, Endpoint
from tests.fakes.kernel import SimulatedKernel, is_marked
from tests.simulation.network import Datagram, Esp

UDP = 17


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


# Called with each change: "install", "remove" or, of its age, "end"; and the SAs.
Watch = Callable[[str, Sequence[SaRequest]], None]


class HostKernel(SimulatedKernel):
    """The data plane of one host. `faults` are those in force."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.faults: Mapping[str, float] = {}
        self.traffic: dict[SaId, Traffic] = {}
        self.watch: Watch = lambda change, sas: None
        # Called before each request of the daemon and after it.
        self.stepping: Callable[[], None] = lambda: None
        self._chance = chance
        self._orders = 0
        # How often the daemon has removed what is another program's.
        self.trespasses = 0

    # What the daemon asks for.

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        if sas and self._chance.random() < self.faults.get("refuse", 0.0):
            number = self._chance.choice((errno.ENOMEM, errno.EEXIST, errno.ENOBUFS))
            await self.pause()
            raise KernelRefusal(number, "simulated")
        await super().install(sas, policies)

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        keys = {key_of(policy) for policy in policies}
        self.trespasses += len(self.foreign.intersection(sas))
        self.trespasses += len(self.foreign_policies & keys)
        await super().remove(sas, policies)

    def left(self) -> tuple[set[SaId], set[PolicyKey]]:
        """What is there and is no other program's."""
        return self.sas.keys() - self.foreign, self.policies.keys() - self.foreign_policies

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
        traffic = self.traffic.pop(old)
        traffic.dying = False
        self.traffic[new.sa_id] = traffic
        if old != new.sa_id:
            # The kernel takes it for a new one, with the counters of another.
            self._orders += 1
            traffic.order = self._orders
        elif traffic.packets:
            self._may_pass(new)

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        there = [(one.sa_id, self.find(one.sa_id)) for one in await super().usage(sa_ids)]
        return [
            SaUsage(sa_id, 0, 0 if found is None else self.traffic[found.sa_id].packets, 0.0)
            for sa_id, found in there
        ]

    async def pause(self) -> None:
        """A reply takes its time."""
        self.stepping()
        longest = self.faults.get("slow-kernel", 0.0)
        if longest:
            await trio.sleep(self._chance.uniform(0.0, longest))
        else:
            await trio.lowlevel.checkpoint()

    def listen_anew(self) -> None:
        """Another process listens: it hears nothing of what happened before."""
        self._events = EventQueue()
        self.forget_process()

    # What happens to it.

    def tick(self, now: float) -> None:
        """End what has lived its time, and tell of what is about to."""
        for sa_id, request in list(self.sas.items()):
            age = now - self.traffic[sa_id].added_at
            soft, hard = request.lifetime.soft_seconds, request.lifetime.hard_seconds
            if 0 < soft <= age and not self.traffic[sa_id].dying:
                self.expire(sa_id, hard=False)
            if 0 < hard <= age:
                self.expire(sa_id, change="end")

    def expire(self, sa_id: SaId, hard: bool = True, change: str = "remove") -> None:
        request = self.sas[sa_id]
        super().expire(sa_id, hard)
        if hard:
            self.traffic.pop(request.sa_id, None)
            self.watch(change, (request,))
        else:
            self.traffic[sa_id].dying = True

    def flush(self) -> None:
        """Somebody else removes every SA; the kernel says nothing of it to us."""
        gone = tuple(self.sas.values())
        self.sas.clear()
        self.foreign.clear()
        self.larval.clear()
        self._removed(gone)

    def flush_policies(self) -> None:
        """Somebody else removes every policy."""
        self.policies.clear()
        self.foreign_policies.clear()

    def lose(self, sa_id: SaId) -> None:
        """Somebody else removes an SA."""
        self.foreign.discard(sa_id)
        self._removed([self.sas.pop(sa_id)])

    def put_in(self, sa: SaRequest, policy: PolicyRequest, *, foreign: bool = False) -> None:
        """Somebody else adds an SA and a policy, or a process before this one had."""
        if key_of(policy) in self.policies:
            return
        self.sas[sa.sa_id], self.policies[key_of(policy)] = sa, policy
        self._orders += 1
        self.traffic[sa.sa_id] = Traffic(trio.current_time(), self._orders)
        if foreign:
            self.foreign.add(sa.sa_id)
            self.foreign_policies.add(key_of(policy))

    # Packets.

    def protect(
        self, source: IPv4Address, destination: IPv4Address, ports: tuple[int, int] = (9, 9)
    ) -> SaRequest | Fate:
        """The SA that a packet of UDP leaves by; it is counted."""
        policy = next(iter(self.outbound(source, destination, ports)), None)
        if policy is None:
            return Fate("no-policy")
        if policy.action is not PolicyAction.PROTECT:
            return Fate(policy.action.value)
        sa = self.chosen(policy, source, destination)
        if sa is None:
            return Fate("no-sa")
        if not self._may_pass(sa):
            return Fate("over")
        self.traffic[sa.sa_id].packets += 1
        return sa

    def outbound(
        self, source: IPv4Address, destination: IPv4Address, ports: tuple[int, int]
    ) -> list[PolicyRequest]:
        """The policies for a packet of UDP that leaves, the one that is in force first."""
        flow = Flow(4, int(source), int(destination), UDP, *ports)
        return self._policies(Direction.OUT, flow)

    def chosen(
        self, policy: PolicyRequest, source: Address, destination: Address
    ) -> SaRequest | None:
        """The SA for a packet under a policy, of those that are what its template says."""
        wanted = policy.tunnel_source if policy.mode is Mode.TUNNEL else source
        fitting = [sa for sa in self.candidates(policy, destination) if sa.source == wanted]
        return max(fitting, key=self._preference, default=None)

    def candidates(self, policy: PolicyRequest, destination: Address) -> list[SaRequest]:
        """The SAs that are what a policy's template says, from whichever source."""
        wanted = policy.tunnel_destination if policy.mode is Mode.TUNNEL else destination
        return [
            sa
            for sa in self.sas.values()
            if sa.destination == wanted
            and (sa.reqid == policy.reqid or not policy.reqid)
            and (sa.mode, sa.protocol, sa.if_id) == (policy.mode, policy.protocol, policy.if_id)
            and is_marked(sa.mark, policy.mark)
        ]

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
        flow = Flow(4, int(esp.source), int(esp.destination), UDP, 9, 9)
        policies = self._policies(Direction.IN, flow)
        if not any(one.reqid == sa.reqid for one in policies):
            return Fate("no-inbound-policy", esp.spi)
        if not self._may_pass(sa):
            return Fate("over", esp.spi)
        traffic.packets += 1
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

    def _policies(self, direction: Direction, flow: Flow) -> list[PolicyRequest]:
        """Those that a packet without a mark falls under, the one that is in force first."""
        fitting = [
            policy
            for policy in self.policies.values()
            if policy.direction is direction
            and not policy.if_id
            and is_marked(policy.mark, None)
            and _matcher(policy.source, policy.destination).takes(flow)
        ]
        return sorted(fitting, key=_turn)

    def _may_pass(self, sa: SaRequest) -> bool:
        """Hold one packet more against the limits: the one behind the last tells of the end."""
        traffic, lifetime = self.traffic[sa.sa_id], sa.lifetime
        if 0 < lifetime.hard_packets <= traffic.packets:
            self.expire(sa.sa_id, change="end")
            return False
        if not traffic.dying and 0 < lifetime.soft_packets <= traffic.packets:
            self.expire(sa.sa_id, hard=False)
        return True

    def _follow(self, sa: SaRequest, datagram: Datagram) -> None:
        """Say where the packet came from, where that is news (km_new_mapping)."""
        if sa.encapsulation is None or not datagram.source.port:
            return
        known = Endpoint(sa.source, sa.encapsulation.source_port)
        if known != datagram.source:
            self.change_mapping(sa.sa_id, datagram.source)


def is_between_hosts(policy: PolicyRequest) -> bool:
    """Whether a kernel finds it by both addresses at once."""
    return all(end.start == end.end for end in (policy.source, policy.destination))


def _turn(policy: PolicyRequest) -> tuple[int, bool]:
    """When it is looked at: of equals, one between two hosts first, for these are hashed."""
    return priority_of(policy), not is_between_hosts(policy)


_matcher = lru_cache(maxsize=1024)(Matcher.of)
