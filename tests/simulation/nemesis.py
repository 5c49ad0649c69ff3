"""What strikes from time to time during the faulty phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import trio

from ikeactors.actors.backends import Disturbed
from tests.simulation.host import HOST, Host
from tests.simulation.injection import CrashAtWait
from tests.simulation.kernel_audit import KernelAudit
from tests.simulation.meddling import MEDDLE
from tests.simulation.network import Network
from tests.simulation.plan import Plan
from tests.simulation.report_audit import ReportAudit
from tests.simulation.verdict import Record

ACTORS = ("worker-1", "alarms", "kernel", "sockets", "router", "peers", "peer")


@dataclass
class Nemesis:
    """Strikes at random, each kind of fault by its own chance."""

    plan: Plan
    hosts: Sequence[Host]
    network: Network
    kernels: KernelAudit
    reports: ReportAudit
    record: Record
    suspend_all: Callable[[float], None]
    _crashes: list[CrashAtWait] = field(default_factory=list)

    async def run(self) -> None:
        """Strike until cancelled."""
        strikes: Mapping[str, Callable[[Random], None]] = {
            "burst": self._burst,
            "partition": self._partition,
            "one-way": self._one_way,
            "rebind": self._rebind,
            "flush": self._flush,
            "lose-events": self._lose_events,
            "expire": self._expire,
            "crash": self._crash,
            "pause": self._pause,
            "suspend": self._suspend,
            "kill": self._kill,
            "meddle": self._meddle,
        }
        try:
            async with trio.open_nursery() as nursery:
                for name, strike in strikes.items():
                    if name in self.plan.faults:
                        nursery.start_soon(self._repeat, name, strike)
        finally:
            for crash in self._crashes:
                trio.lowlevel.remove_instrument(crash)

    async def _repeat(self, name: str, strike: Callable[[Random], None]) -> None:
        chance = Random(f"{self.plan.seed}/{name}")
        while True:
            await trio.sleep(chance.expovariate(1.0 / self.plan.faults[name]))
            self.record.show(f"strikes: {name}")
            self.record.count(f"fault {name}")
            strike(chance)

    def _burst(self, chance: Random) -> None:
        """Nothing passes for a moment, either way."""
        self._block(chance, chance.uniform(0.5, 5.0), both=True)

    def _partition(self, chance: Random) -> None:
        """Nothing passes for longer than some peers wait."""
        self._block(chance, chance.uniform(10.0, 120.0), both=True)

    def _one_way(self, chance: Random) -> None:
        self._block(chance, chance.uniform(5.0, 90.0), both=False)

    def _block(self, chance: Random, seconds: float, *, both: bool) -> None:
        link = chance.choice(self.plan.links)
        one, other = (self.hosts[number].address for number in link.hosts)
        if chance.random() < 0.5:
            one, other = other, one
        until = trio.current_time() + seconds
        self.network.block(one, other, until)
        if both:
            self.network.block(other, one, until)

    def _rebind(self, chance: Random) -> None:
        nats = [nat for nat in self.network.nats if nat.inside in self.network.faulty]
        if nats:
            chance.choice(nats).rebind()

    def _flush(self, chance: Random) -> None:
        host = chance.choice(self.hosts)
        self.kernels.excuse(host)
        host.kernel.flush()
        # What brings the daemon to look.
        host.kernel.lose_events()

    def _lose_events(self, chance: Random) -> None:
        chance.choice(self.hosts).kernel.lose_events()

    def _expire(self, chance: Random) -> None:
        """The kernel ends an SA before its time."""
        host = chance.choice(self.hosts)
        if host.kernel.sas:
            self.kernels.excuse(host)
            sa_id = chance.choice(list(host.kernel.sas))
            host.kernel.expire(sa_id, hard=chance.random() < 0.5)

    def _pause(self, chance: Random) -> None:
        """One host stands still; to the others it is silent."""
        self._excuse_all()
        seconds = chance.choice((chance.uniform(2.0, 30.0), chance.uniform(60.0, 200.0)))
        chance.choice(self.hosts).pause(trio.current_time() + seconds)

    def _suspend(self, chance: Random) -> None:
        """All stand still for hours, and all timers are late at once."""
        self._excuse_all()
        self.suspend_all(chance.uniform(0.1, 5.0) * 3600.0)

    def _excuse_all(self) -> None:
        for host in self.hosts:
            self.kernels.excuse(host)

    def _kill(self, chance: Random) -> None:
        """A process ends without a word, or both of a link, and comes back soon or late."""
        ends = chance.choice(self.plan.links).hosts
        for number in chance.choice((ends, ends[:1], ends[1:])):
            down_for = chance.choice((chance.uniform(0.01, 1.0), chance.uniform(1.0, 40.0)))
            self.reports.killed(self.hosts[number])
            self.hosts[number].kill(down_for)

    def _meddle(self, chance: Random) -> None:
        """Another program does something to a kernel's SAs or policies; sometimes silently."""
        host = chance.choice(self.hosts)
        # Its peers are told at last, and late where the network has faults.
        self._excuse_all()
        what = chance.choice(tuple(MEDDLE))
        self.record.show(f"host{host.number}: {what}")
        MEDDLE[what](host.kernel, chance, host.address)
        if chance.random() < 0.8:
            host.kernel.post(Disturbed())

    def _crash(self, chance: Random) -> None:
        host, actor = chance.choice(self.hosts), chance.choice(ACTORS)
        self.kernels.excuse(host)
        crash = CrashAtWait(chance.randrange(1, 40), lambda task: is_of(task, host, actor))
        crash.arm(())
        self._crashes.append(crash)
        trio.lowlevel.add_instrument(crash)


def is_of(task: trio.lowlevel.Task, host: Host, actor: str) -> bool:
    """Whether a task is this actor of this host, or a part of it."""
    if actor == "peer":
        return task.name == "peer" and task.context.get(HOST) == host.number
    meant = host.tasks.get(actor)
    if task is meant:
        return True
    parent = task.parent_nursery
    return actor == "kernel" and parent is not None and parent.parent_task is meant
