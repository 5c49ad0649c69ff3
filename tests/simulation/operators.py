"""Operators: they ask at the plan's instants, and count on an answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import trio

from ikeactors.actors.kernel import usage_of
from ikeactors.protocol.events import DeletionRequested, Event, RekeyRequested
from tests.simulation.host import Host
from tests.simulation.plan import Operation, Plan
from tests.simulation.verdict import Record

# S13: a look at what is there waits for the kernel actor, and for nobody else.
_STATUS_SECONDS = 60.0


@dataclass
class Operators:
    """All operators of a run."""

    plan: Plan
    hosts: Sequence[Host]
    record: Record
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def run(self, began_at: float) -> None:
        """Ask what the plan says."""
        async with trio.open_nursery() as nursery:
            for one in self.plan.operations:
                await trio.sleep_until(began_at + one.at)
                self.record.show(f"operator of host{one.host}: {one.kind} link{one.link + 1}")
                if self.hosts[one.host].is_down:
                    continue
                if one.kind == "status":
                    nursery.start_soon(self._look, self.hosts[one.host])
                else:
                    _ASK[one.kind](self, one)

    def bring_up(self) -> None:
        """Ask for everything that is to be up: somebody may have taken it down."""
        for link in self.plan.links:
            for number in link.starters:
                self.hosts[number].peers.initiate(link.ends[0].name)

    def rekey_everything(self) -> None:
        """All children and IKE SAs of one end; of both, where the seed says so."""
        chance = Random(f"{self.plan.seed}/rekey")
        anew = Random(f"{self.plan.seed}/reauth-everything")
        for number, link in enumerate(self.plan.links):
            for host in chance.choice((link.hosts, link.hosts[:1], link.hosts[1:])):
                for drawn in chance.sample(("rekey", "rekey-ike"), chance.randint(0, 2)):
                    begins_anew = drawn == "rekey-ike" and anew.random() < 0.5
                    begins_anew = begins_anew and self.plan.reauthenticates
                    kind = "reauth" if begins_anew else drawn
                    for child in range(len(link.children) if kind == "rekey" else 1):
                        _ASK[kind](self, Operation(0.0, kind, host, number, child))

    def up(self, one: Operation) -> None:
        """Bring up one child."""
        host = self.hosts[one.host]
        name = self._child(one)
        host.peers.initiate(self._connection(one), (name,), self._asked(host, one))

    def down(self, one: Operation) -> None:
        """Take the IKE SA down."""
        self._tell(one, lambda number: DeletionRequested(request_id=number))

    def down_child(self, one: Operation) -> None:
        """Take one child down."""
        child = self._child(one)
        self._tell(one, lambda number: DeletionRequested(child=child, request_id=number))

    def rekey(self, one: Operation) -> None:
        """Rekey one child."""
        child = self._child(one)
        self._tell(one, lambda number: RekeyRequested(child=child, request_id=number))

    def rekey_ike(self, one: Operation) -> None:
        """Rekey the IKE SA."""
        self._tell(one, lambda number: RekeyRequested(request_id=number))

    def reauthenticate(self, one: Operation) -> None:
        """A new IKE SA in the place of the old one."""
        self._tell(one, lambda number: RekeyRequested(request_id=number, reauthenticate=True))

    def _tell(self, one: Operation, event: Callable[[int], Event]) -> None:
        host = self.hosts[one.host]
        for number in host.peers.numbers_of(self._connection(one)):
            host.peers.send(number, event(self._asked(host, one)))

    async def _look(self, host: Host) -> None:
        suspended, kills = self.record.suspended, host.kills
        with trio.move_on_after(_STATUS_SECONDS) as patience:
            host.peers.snapshots(trio.current_time())
            await usage_of(host.commands, list(host.kernel.sas))
        # Who asks a process that is killed hears that it is gone.
        if host.is_down or host.kills != kills:
            return
        if patience.cancelled_caught and self.record.suspended == suspended:
            self.record.breaks("S13", f"host{host.number} does not say what is installed")

    def _asked(self, host: Host, one: Operation) -> int:
        number = next(self._ids)
        host.answers.asked(number, f"{one.kind} {self._connection(one)}")
        return number

    def _connection(self, one: Operation) -> str:
        return self.plan.links[one.link].ends[0].name

    def _child(self, one: Operation) -> str:
        return self.plan.links[one.link].children[one.child]


_ASK: dict[str, Callable[[Operators, Operation], None]] = {
    "up": Operators.up,
    "down": Operators.down,
    "down-child": Operators.down_child,
    "rekey": Operators.rekey,
    "rekey-ike": Operators.rekey_ike,
    "reauth": Operators.reauthenticate,
}
