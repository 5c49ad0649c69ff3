"""The network between the hosts: paths with latency, NATs, and everything that goes wrong there."""

from __future__ import annotations

import heapq
import itertools
import math
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

import trio

from ikeactors.iana import NotifyType, PayloadType
from ikeactors.protocol.events import Address, Endpoint

# Datagrams that may be replayed much later.
_MEMORY = 64
# How long a NAT remembers a flow; the keepalive interval is 20 seconds.
_MAPPING_SECONDS = 45.0
_FIRST_NAT_PORT = 20_000


@dataclass(frozen=True, slots=True)
class Esp:
    """A packet in an ESP packet: which SA and key carried it, and which probe it is."""

    spi: int
    sequence: int
    key: bytes = field(repr=False)
    source: Address
    destination: Address
    probe: int


@dataclass(frozen=True, slots=True)
class Datagram:
    """What travels. Ports are 0 for ESP without UDP."""

    source: Endpoint
    destination: Endpoint
    content: bytes | Esp

    @property
    def size(self) -> int:
        """Octets, as far as an MTU cares; probes are small."""
        return len(self.content) if isinstance(self.content, bytes) else 100


Receive = Callable[[Datagram], None]
Watch = Callable[[str, Datagram], None]


class Nat:
    """A NAT box before one host: each flow of it has a port of the box."""

    def __init__(self, inside: Address, outside: Address) -> None:
        self.inside = inside
        self.outside = outside
        self._ports = itertools.count(_FIRST_NAT_PORT)
        self._outward: dict[tuple[Endpoint, Endpoint], tuple[int, float]] = {}
        self._inward: dict[tuple[int, Endpoint], Endpoint] = {}

    def rebind(self) -> None:
        """Forget every flow: the next packets get other ports."""
        self._outward.clear()
        self._inward.clear()

    def leave(self, datagram: Datagram, now: float) -> Datagram | None:
        """As it looks outside; None for what has no ports."""
        if not datagram.source.port:
            return None
        flow = (datagram.source, datagram.destination)
        port, used_at = self._outward.get(flow, (0, -math.inf))
        if now - used_at > _MAPPING_SECONDS:
            self._inward.pop((port, datagram.destination), None)
            port = next(self._ports)
        self._outward[flow] = (port, now)
        self._inward[(port, datagram.destination)] = datagram.source
        return replace(datagram, source=Endpoint(self.outside, port))

    def enter(self, datagram: Datagram) -> Datagram | None:
        """As it looks inside; None for what belongs to no flow."""
        inside = self._inward.get((datagram.destination.port, datagram.source))
        return None if inside is None else replace(datagram, destination=inside)


class Path:
    """One way between two places, and its weather."""

    def __init__(self) -> None:
        self.blocked_until = 0.0
        self.memory: list[Datagram] = []


def forged(chance: Random, octets: bytes) -> bytes:
    """What somebody on the path, who has no keys, says in the name of a peer it has seen."""
    at = 4 if octets[:4] == bytes(4) else 0
    header = bytearray(octets[at : at + 28])
    if len(header) < 28:
        return octets
    notify = struct.pack(">BBHBBH", 0, 0, 8, 0, 0, chance.choice(_FORGED_NOTIFIES))
    delete = struct.pack(">BBHBBH", 0, 0, 8, 1, 0, 0)
    kind, body = chance.choice(((PayloadType.NOTIFY, notify), (PayloadType.DELETE, delete)))
    header[16] = kind
    header[18] = chance.choice((header[18], 34, 35, 36, 37))
    header[19] ^= chance.choice((0x00, 0x20, 0x08, 0x28))
    header[24:28] = struct.pack(">I", 28 + len(body))
    return octets[:at] + bytes(header) + body


_FORGED_NOTIFIES = (
    NotifyType.INVALID_IKE_SPI,
    NotifyType.INVALID_SYNTAX,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.TEMPORARY_FAILURE,
    NotifyType.INITIAL_CONTACT,
)


class Network:
    """Carries datagrams. `faults` are the probabilities in force; none while all is quiet."""

    def __init__(self, chance: Random, latency: float) -> None:
        self._chance = chance
        self._latency = latency
        self._places: dict[Address, Receive] = {}
        self._nats: dict[Address, Nat] = {}
        self._paths: dict[tuple[Address, Address], Path] = {}
        self._flights: list[tuple[float, int, Datagram]] = []
        self._numbers = itertools.count()
        self._idle = trio.lowlevel.ParkingLot()
        self.faults: Mapping[str, float] = {}
        self.faulty: frozenset[Address] = frozenset()
        self.watch: Watch = lambda fate, datagram: None
        self.struck: Counter[str] = Counter()

    def attach(self, address: Address, receive: Receive) -> None:
        """A host at its address."""
        self._places[address] = receive

    def put_nat(self, nat: Nat) -> None:
        """A NAT before a host."""
        self._nats[nat.inside] = nat
        self._nats[nat.outside] = nat

    @property
    def nats(self) -> list[Nat]:
        """All NATs."""
        return [nat for address, nat in self._nats.items() if address == nat.inside]

    @property
    def under_way(self) -> int:
        """Datagrams that have not arrived."""
        return len(self._flights)

    def block(self, one: Address, other: Address, until: float) -> None:
        """Nothing passes from one to the other for a while."""
        self._path(self._outer(one), self._outer(other)).blocked_until = until

    def heal(self) -> None:
        """Everything passes again; what was delayed stays delayed."""
        self.faults = {}
        for path in self._paths.values():
            path.blocked_until = 0.0

    def send(self, datagram: Datagram) -> None:
        """Take a datagram from a host, and decide its fate."""
        now = trio.current_time()
        self.watch("-->", datagram)
        nat = self._nats.get(datagram.source.address)
        outer = datagram if nat is None else nat.leave(datagram, now)
        if outer is None:
            self.watch("nat", datagram)
            return
        path = self._path(outer.source.address, outer.destination.address)
        is_faulty = bool(self.faults) and not self.faulty.isdisjoint(
            (datagram.source.address, datagram.destination.address, outer.destination.address)
        )
        if not is_faulty:
            self._fly(outer, self._latency)
            return
        if path.blocked_until > now:
            self.watch("blocked", datagram)
            return
        self._suffer(outer, path)

    async def run(self) -> None:
        """Let datagrams arrive when it is time."""
        while True:
            while not self._flights:
                await self._idle.park()
            due_at = self._flights[0][0]
            with trio.move_on_at(due_at):
                await self._idle.park()
            while self._flights and self._flights[0][0] <= trio.current_time():
                self._arrive(heapq.heappop(self._flights)[2])

    def _suffer(self, datagram: Datagram, path: Path) -> None:
        if self._strikes("loss") or datagram.size > self.faults.get("mtu", math.inf):
            self.watch("lost", datagram)
            return
        if self._strikes("corrupt") or self._strikes("truncate"):
            damaged = self._damaged(datagram)
            self.watch("damaged", datagram)
            if damaged is None:
                return
            datagram = damaged
        delay = self._latency
        if self._strikes("reorder"):
            delay += self._chance.uniform(0.0, 1.0)
        if self._strikes("delay"):
            delay += self._chance.uniform(5.0, 60.0)
        self._fly(datagram, delay)
        if self._strikes("duplicate"):
            self._fly(datagram, delay + self._chance.uniform(0.0, 2.0))
        if self._strikes("forge") and isinstance(datagram.content, bytes):
            self._fly(replace(datagram, content=forged(self._chance, datagram.content)), 0.0)
        if self._strikes("replay") and path.memory:
            self._fly(self._chance.choice(path.memory), self._latency)
        if len(path.memory) < _MEMORY:
            path.memory.append(datagram)
        else:
            path.memory[self._chance.randrange(_MEMORY)] = datagram

    def _damaged(self, datagram: Datagram) -> Datagram | None:
        """Another bit, or less of it; a damaged ESP packet is dropped by whoever gets it."""
        octets = datagram.content
        if not isinstance(octets, bytes) or not octets:
            return None
        if "truncate" in self.faults and self._chance.random() < 0.5:
            return replace(datagram, content=octets[: self._chance.randrange(len(octets))])
        at = self._chance.randrange(len(octets))
        changed = octets[at] ^ 1 << self._chance.randrange(8)
        return replace(datagram, content=octets[:at] + bytes((changed,)) + octets[at + 1 :])

    def _strikes(self, fault: str) -> bool:
        rate = self.faults.get(fault, 0.0)
        strikes = rate > 0.0 and self._chance.random() < rate
        self.struck[fault] += strikes
        return strikes

    def _fly(self, datagram: Datagram, delay: float) -> None:
        due_at = trio.current_time() + delay
        heapq.heappush(self._flights, (due_at, next(self._numbers), datagram))
        if self._flights[0][0] == due_at:
            self._idle.unpark()

    def _arrive(self, datagram: Datagram) -> None:
        nat = self._nats.get(datagram.destination.address)
        inner: Datagram | None = datagram
        if nat is not None:
            inner = nat.enter(datagram)
        receive = None if inner is None else self._places.get(inner.destination.address)
        if inner is None or receive is None:
            self.watch("unreachable", datagram)
            return
        receive(inner)

    def _outer(self, address: Address) -> Address:
        nat = self._nats.get(address)
        return address if nat is None else nat.outside

    def _path(self, source: Address, destination: Address) -> Path:
        key = (source, destination)
        path = self._paths.get(key)
        if path is None:
            path = self._paths[key] = Path()
        return path
