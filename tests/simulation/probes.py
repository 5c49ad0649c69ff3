"""Packets of hosts behind the gateways: which were sent, which arrived, what became of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import trio

from ikeactors.protocol.events import Endpoint
from tests.simulation.host import Host
from tests.simulation.kernel import Fate
from tests.simulation.network import Datagram, Esp, Network
from tests.simulation.verdict import Record


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of one child of one link."""

    link: int
    child: str
    sender: int
    receiver: int
    source: IPv4Address
    destination: IPv4Address

    def __str__(self) -> str:
        return f"link{self.link + 1} {self.child} host{self.sender} -> host{self.receiver}"


@dataclass
class Probe:
    """A packet on its way."""

    way: Way
    sent_at: float
    fate: str = "under way"


class Probes:
    """All probes of a run."""

    def __init__(self, network: Network, hosts: list[Host], record: Record) -> None:
        self._network = network
        self._record = record
        self._numbered: set[tuple[bytes, int]] = set()
        self._hosts = hosts
        self.sent: list[Probe] = []
        self.last_arrival: dict[Way, float] = {}
        self.replays = 0

    def send(self, way: Way) -> Probe:
        """Send one packet."""
        probe = Probe(way, trio.current_time())
        number = len(self.sent)
        self.sent.append(probe)
        kernel = self._hosts[way.sender].kernel
        sa = kernel.protect(way.source, way.destination)
        if isinstance(sa, Fate):
            probe.fate = sa.word
            return probe
        esp = Esp(sa.spi, kernel.sequence_of(sa), sa.encr_key, way.source, way.destination, number)
        numbered = (sa.encr_key, esp.sequence)
        if numbered in self._numbered:
            self._record.breaks("S5", f"{way}: {sa.spi:08x} counts {esp.sequence} a second time")
        self._numbered.add(numbered)
        ports = (0, 0)
        if sa.encapsulation is not None:
            ports = (sa.encapsulation.source_port, sa.encapsulation.destination_port)
        self._network.send(
            Datagram(Endpoint(sa.source, ports[0]), Endpoint(sa.destination, ports[1]), esp)
        )
        return probe

    def receive(self, host: Host, datagram: Datagram, esp: Esp) -> Fate:
        """A host's kernel has got one."""
        fate = host.kernel.accept(datagram, esp)
        probe = self.sent[esp.probe]
        if probe.fate == "arrived":
            self.replays += fate.word == "arrived"
            return fate
        probe.fate = fate.word
        if fate.word == "arrived":
            self.last_arrival[probe.way] = probe.sent_at
        return fate
