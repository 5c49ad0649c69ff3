"""Each actor killed at each of its steps: the others notice nothing, and all comes to a good end.

Two associations come up while strangers knock. In every run one actor is killed once, at its k-th
scheduled step, for all k that there are; associations are crashed at each of their events and at
each call they make of their surroundings.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from ikeactors.actors.alarms import run_alarms
from ikeactors.actors.router import run_router
from ikeactors.actors.supervisor import ChildSpecification, Intensity, Supervisor
from ikeactors.actors.workers import run_worker
from ikeactors.protocol.actions import Action, InstallChildSa, RegisterSpi
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    Event,
    InitiationRequested,
    TimerExpired,
)
from ikeactors.protocol.settings import ConnectionSettings
from tests.fakes.associations import (
    HELLO,
    LOCAL,
    REMOTE,
    FakeAssociation,
    FakeAssociations,
    FakeSender,
    Injected,
)
from tests.fakes.peers import World, connection

# Simulated seconds in which everything has to be well again: all back-offs are shorter.
PATIENCE = 60
ANSWER_AFTER = 3


class Negotiation(FakeAssociation):
    """Registers, sends, retransmits at a deadline, is answered, installs: then it is up."""

    def __init__(self, connection: str, faults: Faults) -> None:
        super().__init__(connection=connection)
        self._faults = faults
        self._spi = connection.encode().ljust(8, b".")

    def handle(self, event: Event, now: float) -> Sequence[Action]:
        self.events.append(event)
        self._faults.pass_by(f"{self.connection_name}: event")
        match event:
            case InitiationRequested():
                self.deadline = now + 1
                return [RegisterSpi(self._spi), HELLO]
            case TimerExpired():
                self.deadline = math.inf
                self.slow = True
                return [HELLO]
            case DatagramReceived() if self.connection_name and not self.established:
                self.slow = False
                return [InstallChildSa(1, ())]
            case ChildSaInstalled():
                self.established, self.half_open = True, False
        return []


@dataclass
class Faults:
    """Raises once, at the k-th place of a kind that is passed by."""

    kind: str = ""
    at: int = 0
    passed: int = 0
    injected: bool = False

    def pass_by(self, kind: str) -> None:
        if kind != self.kind:
            return
        self.passed += 1
        if self.passed == self.at:
            self.injected = True
            raise Injected(kind)


@dataclass
class Negotiations(FakeAssociations):
    """Makes negotiations."""

    faults: Faults = field(default_factory=Faults)

    def _next(self, connection: str, local: object, remote: object) -> FakeAssociation:
        self.faults.pass_by(f"{connection}: making")
        association = Negotiation(connection, self.faults)
        self.made.append(association)
        return association


@dataclass
class FaultySender(FakeSender):
    """Raises where the faults say."""

    faults: Faults = field(default_factory=Faults)

    def send_message(self, octets: bytes, local: object, remote: object, dscp: int = 0) -> None:
        self.faults.pass_by("sending")
        self.sent.append(octets)


class Kill(trio.abc.Instrument):
    """Kills one actor at its k-th step; its tasks below are killed with it."""

    def __init__(self, name: str, at: int) -> None:
        self.name = name
        self.at = at
        self.steps = 0
        self.done = False
        self._life: trio.CancelScope | None = None
        self._task: trio.lowlevel.Task | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not self._task or self.done:
            return
        self.steps += 1
        if self.steps == self.at and self._life is not None:
            self.done = True
            self._life.cancel()

    def mortal(self, name: str, run: Callable[[], Awaitable[None]]) -> ChildSpecification:
        """The actor, with a life that ends in a crash when it is killed."""

        async def live() -> None:
            with trio.CancelScope() as life:
                if name == self.name:
                    self._life, self._task = life, trio.lowlevel.current_task()
                await run()
            raise Injected(f"{name} was killed")

        return ChildSpecification(name, live)


def first_request(number: int) -> DatagramReceived:
    header = struct.pack(">Q8sBBBBII", number, bytes(8), 33, 0x20, 34, 0x08, 0, 28)
    return DatagramReceived(header, LOCAL, REMOTE)


def answer_to(connection: str) -> DatagramReceived:
    spi = connection.encode().ljust(8, b".")
    header = struct.pack(">8s8sBBBBII", spi, b"theirspi", 33, 0x20, 34, 0x20, 0, 28)
    return DatagramReceived(header, LOCAL, REMOTE)


CONNECTIONS: tuple[ConnectionSettings, ...] = (
    connection("one"),
    connection("two", remote="192.0.2.3"),
)


async def run_world(kill: Kill, faults: Faults) -> World:
    """Bring both connections up under one fault; their peers retransmit."""
    world = World(
        connections=CONNECTIONS,
        associations=Negotiations(faults=faults),
        sender=FaultySender(faults=faults),
    )
    run = {
        "alarms": lambda: run_alarms(world.alarms),
        "worker": lambda: run_worker(world.workers),
        "peers": world.peers.run,
        "router": lambda: run_router(world.router, lambda *_: None, world.peers, lambda *_: None),
    }
    children = [kill.mortal(name, actor) for name, actor in run.items()]
    supervisor = Supervisor("test", children, world.hub, lambda: 0.0, intensity=Intensity(2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.serve_kernel)
        nursery.start_soon(supervisor.run)
        for one in CONNECTIONS:
            world.peers.initiate(one.name)
        for second in range(PATIENCE):
            await trio.sleep(1)
            if second % ANSWER_AFTER == 0:
                world.router.deliver(first_request(1))
                for one in CONNECTIONS:
                    if not is_up(world, one.name):
                        world.router.deliver(answer_to(one.name))
        nursery.cancel_scope.cancel()
    return world


def run_with(kill: Kill, faults: Faults) -> World:
    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(run_world, kill, faults, clock=clock, instruments=[kill])


def made(world: World, name: str) -> int:
    return sum(one.connection_name == name for one in world.associations.made)


def is_up(world: World, name: str) -> bool:
    peers = world.registry.census.of_connection(name)
    return len(peers) == 1 and peers[0].established


@pytest.mark.parametrize("name", ["alarms", "worker", "router", "peers"])
def test_an_actor_killed_at_any_step_costs_no_association(name: str) -> None:
    kills = 0
    for at in range(1, 1000):
        kill = Kill(name, at)
        world = run_with(kill, Faults())
        assert is_up(world, "one"), f"{name} killed at step {at}"
        assert is_up(world, "two"), f"{name} killed at step {at}"
        assert (made(world, "one"), made(world, "two"), made(world, "")) == (1, 1, 1)
        if not kill.done:
            break
        kills += 1
    assert kills > 0


@pytest.mark.parametrize("kind", ["one: event", "one: making"])
def test_an_association_crashed_anywhere_comes_back_and_its_neighbour_notices_nothing(
    kind: str,
) -> None:
    crashes = 0
    for at in range(1, 1000):
        faults = Faults(kind, at)
        world = run_with(Kill("", 0), faults)
        if not faults.injected:
            break
        crashes += 1
        assert is_up(world, "one"), f"crashed at {kind} {at}"
        assert is_up(world, "two")
        assert made(world, "two") == 1
    assert crashes > 0


def test_a_fault_of_the_sender_crashes_one_association_and_both_come_up() -> None:
    crashes = 0
    for at in range(1, 1000):
        faults = Faults("sending", at)
        world = run_with(Kill("", 0), faults)
        if not faults.injected:
            break
        crashes += 1
        assert is_up(world, "one")
        assert is_up(world, "two")
        assert world.peers.statistics().crashes == 1
        assert made(world, "one") + made(world, "two") == 3
    assert crashes >= 4
