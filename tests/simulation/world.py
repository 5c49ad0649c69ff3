"""The world of one run: hosts, network, faults and operators, through all phases.

quiet set-up -> faults -> heal, and within a bound everything is up again -> quiet -> shut down
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from random import Random

import trio
import trio.testing

from ikeactors.config import Configuration
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.settings import Secret
from tests.simulation.bounds_audit import unbounded
from tests.simulation.end_audit import check_empty, check_settled
from tests.simulation.host import Host, Surrounding
from tests.simulation.kernel_audit import KernelAudit
from tests.simulation.nemesis import Nemesis
from tests.simulation.network import Datagram, Esp, Nat, Network
from tests.simulation.operators import Operators
from tests.simulation.plan import HOST_FAULTS, LATE_KERNEL, Plan, address_of, nat_address_of
from tests.simulation.probes import Probe, Probes, Way
from tests.simulation.report_audit import ReportAudit
from tests.simulation.secrets_audit import SecretsAudit, keys_of
from tests.simulation.verdict import Record
from tests.simulation.wire_audit import WireAudit, ike_of

PSK = b"a pre-shared key that nobody tells"

# Of so many runs one tells all that it can tell: S11 holds there too.
_DEBUGGED = 8
# A quiet set-up: handshakes over the slowest path, INVALID_KE_PAYLOAD and back-offs included.
_SET_UP_SECONDS = 20.0
# The stop of a daemon: peers answer at once, or are left.
_STOP_SECONDS = 40.0


class World:
    """Everything there is in a run."""

    def __init__(self, plan: Plan, record: Record, patience: trio.CancelScope) -> None:
        self.plan = plan
        self.patience = patience
        self.record = record
        self.network = Network(Random(f"{plan.seed}/network"), plan.latency)
        self.wire = WireAudit(record)
        self.secrets = SecretsAudit(record, (PSK,))
        self.reports = ReportAudit(record, self.secrets)
        keeps = "kill" in plan.faults
        wants_debug = record.wants_lines or plan.seed % _DEBUGGED == 0
        around = Surrounding(self.network, self._hear, plan.seed, wants_debug, keeps)
        self.hosts = [
            Host(number, address_of(number), configuration_of(plan, number), around)
            for number in range(plan.hosts)
        ]
        self.probes = Probes(self.network, self.hosts, record)
        self.ways = list(_ways(plan))
        self.operators = Operators(plan, self.hosts, record)
        self.kernels = KernelAudit(_by_address(self.hosts), self.reports, record, self.secrets)
        self._stop = trio.Event()
        self._connect()

    async def run(self, when_up: Callable[[World], None]) -> None:
        """All phases, until an invariant breaks."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._live, when_up)
            await self.record.over.wait()
            nursery.cancel_scope.cancel()

    async def _live(self, when_up: Callable[[World], None]) -> None:
        async with trio.open_nursery() as services:
            services.start_soon(self.network.run)
            services.start_soon(self._tick)
            async with trio.open_nursery() as daemons:
                for host in self.hosts:
                    daemons.start_soon(host.run, self._stop)
                await self._phases(when_up)
                self._stop.set()
                daemons.cancel_scope.deadline = trio.current_time() + _STOP_SECONDS
            if daemons.cancel_scope.cancelled_caught:
                self.record.breaks("E4", f"a daemon does not stop within {_STOP_SECONDS:.0f} s")
            services.cancel_scope.cancel()
        check_empty(self.hosts, self.record)
        for host in self.hosts:
            host.reel.check(self.record)
        self._sum_up()
        self.record.over.set()

    def _sum_up(self) -> None:
        """What the run was made of."""
        self.record.count("seconds", int(trio.current_time() - self.record.suspended))
        self.record.count("probes", len(self.probes.sent))
        for fault, times in self.network.struck.items():
            self.record.count(f"fault {fault}", times)

    async def _phases(self, when_up: Callable[[World], None]) -> None:
        await self._probe_until_all_arrive(_SET_UP_SECONDS, "E3", "the quiet set-up")
        when_up(self)
        await self._suffer()
        self._heal()
        await self._probe_until_all_arrive(self.plan.bound, "E3", "the healing")
        await self._stay_quiet()
        await check_settled(self.plan, self.hosts, self.record)
        self._show_everything()

    def _show_everything(self) -> None:
        """What an operator may ask for, and what a traceback or a debugger would show."""
        for host in self.hosts:
            shown = [*host.peers.snapshots(trio.current_time()), *host.kernel.sas.values()]
            self.secrets.told(f"what host{host.number} shows", repr(shown))
            self.secrets.told(f"the configuration of host{host.number}", repr(host.configuration))

    async def _suffer(self) -> None:
        """Faults and operators, for the plan's duration."""
        plan = self.plan
        faulty = [link for link in plan.links if link.is_faulty]
        self.network.faulty = frozenset(
            address for link in faulty for address in _addresses(link.hosts[1])
        )
        self.network.faults = plan.faults
        for host in self.hosts:
            host.suffer(plan.faults)
            if not LATE_KERNEL.isdisjoint(plan.faults):
                self.kernels.excuse(host)
        strikes = (self.network, self.kernels, self.reports, self.record, self._suspend)
        nemesis = Nemesis(plan, self.hosts, *strikes)
        began_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(nemesis.run)
            nursery.start_soon(self.operators.run, began_at)
            sent: list[Probe] = []
            while trio.current_time() < began_at + plan.duration + self.record.suspended:
                sent += [self.probes.send(way) for way in self.ways if self._is_awake(way)]
                await trio.sleep(plan.probe_interval)
            nursery.cancel_scope.cancel()
        await trio.sleep(1.0)
        self._check_isolation(sent)

    def _check_isolation(self, sent: list[Probe]) -> None:
        """S9: where no fault strikes, none is felt."""
        plan = self.plan
        if not HOST_FAULTS.isdisjoint(plan.faults):
            return
        touched = {one.link for one in plan.operations if one.kind.startswith("down")}
        for probe in sent:
            way = probe.way
            if plan.links[way.link].is_faulty or way.link in touched:
                continue
            if probe.fate != "arrived":
                self.record.breaks(
                    "S9", f"{way}: a probe sent at {probe.sent_at:.1f} came to {probe.fate}"
                )

    def _heal(self) -> None:
        self.record.note("healed")
        self.record.show("healed")
        self.network.heal()
        for host in self.hosts:
            host.suffer({})
            host.pause(0.0)
        self.operators.bring_up()

    def _suspend(self, seconds: float) -> None:
        """Everybody's time jumps."""
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        self.record.suspended += seconds
        self.patience.deadline += seconds
        clock.jump(seconds)

    def _is_awake(self, way: Way) -> bool:
        return not self.hosts[way.sender].paused

    async def _probe_until_all_arrive(self, bound: float, invariant: str, phase: str) -> None:
        """Everything carries traffic within a bound, and goes on to."""
        deadline = trio.current_time() + bound
        missing = list(self.ways)
        while missing:
            if trio.current_time() > deadline:
                fates = {str(way): self._last_fate(way) for way in missing}
                self.record.breaks(invariant, f"{bound:.0f} s after {phase} began: {fates}")
                return
            began_at = trio.current_time()
            for way in missing:
                self.probes.send(way)
            await trio.sleep(max(1.0, 3 * self.plan.latency))
            last = self.probes.last_arrival
            missing = [way for way in missing if last.get(way, -1.0) < began_at]

    def _last_fate(self, way: Way) -> str:
        return next((one.fate for one in reversed(self.probes.sent) if one.way == way), "not sent")

    async def _stay_quiet(self) -> None:
        """Rekeyings and nothing else: no packet is lost (S3)."""
        # What the faulty phase has left to be settled: late datagrams, deletes, retired SAs.
        await trio.sleep(min(self.plan.bound / 2, self.plan.settling))
        # A late packet may have been the last that told where a peer behind a NAT is.
        for way in self.ways:
            self.probes.send(way)
        await trio.sleep(1.0)
        sent: list[Probe] = []
        ends_at = trio.current_time() + self.plan.quiet
        self.operators.rekey_everything()
        while trio.current_time() < ends_at:
            sent += [self.probes.send(way) for way in self.ways]
            await trio.sleep(self.plan.probe_interval / 3)
        await trio.sleep(1.0)
        for probe in sent:
            if probe.fate != "arrived":
                self.record.breaks(
                    "S3", f"{probe.way}: a probe sent at {probe.sent_at:.2f} came to {probe.fate}"
                )

    async def _tick(self) -> None:
        while True:
            await trio.sleep(1.0)
            for host in self.hosts:
                if not host.paused:
                    host.kernel.tick(trio.current_time())
                if not host.is_down:
                    self._look_at(host)

    def _look_at(self, host: Host) -> None:
        """S8, and the keys of IKE SAs for S11."""
        for text in unbounded(host):
            self.record.breaks("S8", f"host{host.number}: {text}")
        for peer in host.registry.census:
            if isinstance(peer.association, Association):
                for ike_sa in peer.association.ike_sas:
                    self.secrets.keyed(keys_of(ike_sa))

    # Wiring.

    def _connect(self) -> None:
        for host in self.hosts:
            self.network.attach(host.address, partial(self._arrive, host))
        for link in self.plan.links:
            if link.nat:
                far = link.hosts[1]
                self.network.put_nat(Nat(address_of(far), nat_address_of(far)))
        self.network.watch = self._watch

    def _arrive(self, host: Host, datagram: Datagram) -> None:
        if isinstance(datagram.content, Esp):
            if host.paused:
                return
            fate = self.probes.receive(host, datagram, datagram.content)
            if fate.word != "arrived":
                self.record.note(f"host{host.number} {fate.word} {fate.spi:08x}")
            return
        self.wire.arrived(host.address, datagram)
        host.receive(datagram)

    def _watch(self, fate: str, datagram: Datagram) -> None:
        content = datagram.content
        if isinstance(content, Esp):
            if fate != "-->":
                self.probes.sent[content.probe].fate = fate
            return
        if fate == "-->":
            self.record.count("messages")
            self.wire.sent(datagram.source.address, datagram)
        octets = ike_of(datagram)
        if octets is not None:
            self.record.note(f"{fate} {datagram.source} > {datagram.destination} {octets.hex()}")
            self.record.show(f"net {fate} {datagram.source} > {datagram.destination}")

    def _hear(self, host: Host, association: int, report: Report) -> None:
        if report.level >= Level.INFO:
            self.record.note(f"host{host.number} {association} {report.name}")
        if self.record.wants_lines:
            self.record.show(f"host{host.number}/{association} {report.name}: {report.text}")
        self.reports.hear(host, association, report)


def configuration_of(plan: Plan, host: int) -> Configuration:
    """All that a host is configured to do; one host of each run is recorded."""
    is_recorded = plan.seed % plan.hosts == host
    connections = tuple(
        replace(link.ends[link.hosts.index(host)], record=is_recorded)
        for link in plan.links
        if host in link.hosts
    )
    return Configuration(connections=connections, secrets=(Secret("all", (), PSK),))


def _by_address(hosts: list[Host]) -> dict[Address, Host]:
    own: dict[Address, Host] = {host.address: host for host in hosts}
    return own | {nat_address_of(host.number): host for host in hosts}


def _ways(plan: Plan) -> Iterator[Way]:
    """Both directions of every child."""
    for number, link in enumerate(plan.links):
        hub, spoke = link.hosts
        for index, child in enumerate(link.children):
            near = IPv4Address(f"10.{hub}.{spoke * 8 + index}.1")
            far = IPv4Address(f"10.{spoke}.{index}.1")
            yield Way(number, child, hub, spoke, near, far)
            yield Way(number, child, spoke, hub, far, near)


def _addresses(host: int) -> tuple[Address, Address]:
    return address_of(host), nat_address_of(host)
