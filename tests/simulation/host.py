"""One host: the daemon's own actors over a simulated network, kernel, worker and chance."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

import trio

from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.core import CoreAssociations, consider
from ikeactors.actors.keeper import Keeper, run_keeper
from ikeactors.actors.kernel import (
    KernelState,
    open_commands,
    remove_all,
    run_kernel,
    usage_of,
)
from ikeactors.actors.lives import Lives
from ikeactors.actors.peer import Outlets
from ikeactors.actors.peers import Peers
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.router import Router, run_router
from ikeactors.actors.store import MemoryStore
from ikeactors.actors.supervisor import ChildSpecification, Intensity, Supervisor
from ikeactors.actors.workers import Workers, run_worker
from ikeactors.protocol.actions import AnswerRequest, Level, Report
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import IKE_PORT, Surroundings
from ikeactors.returning import take_back
from tests.pair import SeededEntropy
from tests.simulation.kernel import HostKernel
from tests.simulation.network import Datagram, Network
from tests.simulation.ports import BLINK, SimulatedSockets, late
from tests.simulation.replays import Reel

# The daemon's own.
_INTENSITY = Intensity(restarts=25, period=60.0)
_STOP_PATIENCE = 10.0
_REMOVAL_PATIENCE = 10.0
# As long as a write to a disk may take before it is durable, and again before it says so.
_WRITE_SECONDS = 0.005

# Which host a task is of.
HOST: contextvars.ContextVar[int] = contextvars.ContextVar("HOST")

Hear = Callable[["Host", int, Report], None]


class Ledger(ReportHub):
    """Reports are heard at the instant at which they are made."""

    def __init__(self, hear: Callable[[int, Report], None], wants_debug: bool) -> None:
        super().__init__(trio.current_time)
        self._hear = hear
        self._least = Level.DEBUG if wants_debug else Level.INFO

    def is_wanted(self, level: Level, connection: str) -> bool:
        return level >= self._least

    def publish(self, report: Report, association: int = 0) -> None:
        if report.level >= self._least:
            self._hear(association, report)


class AnswerBook(Answers):
    """Knows what was asked and is not answered."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int, str] = {}

    @property
    def open(self) -> list[str]:
        """What is not answered."""
        return list(self._open.values())

    def asked(self, request_id: int, what: str) -> None:
        """An operator waits for an answer."""
        self._open[request_id] = what

    def resolve(self, answer: AnswerRequest) -> None:
        self._open.pop(answer.request_id, None)


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a host is put into."""

    network: Network
    hear: Hear
    seed: int
    wants_debug: bool = False
    keeps: bool = False


class Host:
    """A daemon, its kernel and its place in the network."""

    def __init__(
        self, number: int, address: Address, settings: Settings, around: Surrounding
    ) -> None:
        self.number = number
        self.address = address
        self.settings = settings
        self.kernel = HostKernel(Random(f"{around.seed}/{number}/kernel"))
        self.faults: Mapping[str, float] = {}
        self.reel = Reel()
        self.kills = 0
        self.is_down = False
        self._around = around
        self._chance = Random(f"{around.seed}/{number}/chance")
        self._store = MemoryStore() if around.keeps else None
        self._process = trio.CancelScope()
        self._down_for = 0.0
        self.sockets = SimulatedSockets(address, around.network, self._is_unsendable)
        self._begin()

    def _begin(self) -> None:
        """All that a process has in its memory."""
        around, number = self._around, self.number
        self.kernel_state = KernelState()
        self.tasks: dict[str, trio.lowlevel.Task] = {}
        self.hub = Ledger(partial(around.hear, self), around.wants_debug)
        self._ringing: trio.CancelScope | None = None
        self.router, self.alarms, self.answers = Router(self.hub), Alarms(), AnswerBook()
        self.workers = Workers(late(self._chance, lambda: self.faults.get("slow-worker", 0.0)))
        self.commands, self._received_commands = open_commands()
        self.registry = PeerRegistry(self.router, self.commands, self.answers)
        self.surroundings = Surroundings(
            SeededEntropy(f"{around.seed}/{number}" + f"/{self.kills}" * bool(self.kills)),
            is_heard=self.hub.is_wanted,
            stands=self.registry.claims.stands,
            is_up=self.registry.census.is_up,
        )
        self.admission = Admission(
            self.surroundings.entropy, AdmissionLimits(), self.surroundings.refusals
        )
        self.keeper = None if self._store is None else self._keeper(self._store)
        self.peers = Peers(self.settings, self._lives(), self.registry, self.router)
        self.supervisor = Supervisor(
            f"host {number}", self._children(), self.hub, self._chance.random, intensity=_INTENSITY
        )

    def suffer(self, faults: Mapping[str, float]) -> None:
        """These faults are in force from now on."""
        self.faults = self.kernel.faults = faults

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return trio.current_time() < self.sockets.paused_until

    def pause(self, until: float) -> None:
        """Stand still, as a process that is stopped: timers and datagrams wait, others go on."""
        self.sockets.paused_until = until
        if self._ringing is not None:
            self._ringing.cancel()

    def all_tasks(self) -> list[trio.lowlevel.Task]:
        """The actors' tasks and those below them, in the order in which they began."""
        actors = list(self.tasks.values())
        below = [
            task for actor in actors for nursery in actor.child_nurseries
            for task in nursery.child_tasks
        ]  # fmt: skip
        return sorted((*actors, *below), key=lambda task: task._counter)

    def receive(self, datagram: Datagram) -> None:
        """The network has brought an IKE datagram or a keepalive."""
        if not self.is_down:
            self.sockets.receive(datagram)

    def kill(self, down_for: float) -> None:
        """End the process where it is; after so many seconds there is another one."""
        if not self.is_down:
            self.is_down, self._down_for = True, down_for
            self._process.cancel()

    async def run(self, stop: trio.Event) -> None:
        """Be the daemon until it is told to stop, and take everything down."""
        HOST.set(self.number)
        while True:
            with trio.CancelScope() as self._process:
                await self._live(stop)
            if not self._process.cancelled_caught:
                break
            await trio.sleep(self._down_for)
            self.kills += 1
            self.sockets.forget()
            self.kernel.listen_anew()
            self._begin()
            self.is_down = False
        await remove_all(self.kernel, self.kernel_state)

    async def _live(self, stop: trio.Event) -> None:
        """One process."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.supervisor.run)
            await take_back(self.keeper, self.peers)
            self.peers.start_configured()
            await stop.wait()
            await self.peers.stop(_STOP_PATIENCE)
            with trio.move_on_after(_REMOVAL_PATIENCE):
                await usage_of(self.commands, ())
            nursery.cancel_scope.cancel()

    def _keeper(self, store: MemoryStore) -> Keeper:
        publish: Callable[[Report], None] = self.hub.publish
        return Keeper(store, publish, trio.current_time, carry=self._write)

    async def _write(self, work: Callable[..., object], *arguments: object) -> object:
        """A thread that writes, and is in time or not when the process ends."""
        await trio.sleep(self._chance.uniform(0.0, _WRITE_SECONDS))
        done = work(*arguments)
        await trio.sleep(self._chance.uniform(0.0, _WRITE_SECONDS))
        return done

    def _lives(self) -> Lives:
        outlets = Outlets(
            self.router,
            self.sockets,
            self.commands,
            self.workers,
            self.alarms,
            self.hub,
            None,
            self.registry,
            self.keeper,
        )
        associations = CoreAssociations(self.settings, self.surroundings, self.reel)
        locator = Locator(self.sockets.source_for, IKE_PORT)
        return Lives(
            self.settings, associations, locator, outlets, self.registry, self._chance.random
        )

    def _children(self) -> list[ChildSpecification]:
        """The actors of the daemon that associations need."""
        ask_admission = partial(consider, self.admission, self.peers)
        send = self.sockets.send_message
        run_actor: dict[str, Callable[[], Awaitable[None]]] = {
            "worker": partial(run_worker, self.workers),
            "alarms": self._run_alarms,
            "kernel": self._run_kernel,
            "sockets": partial(self.sockets.run, self.router.deliver),
            "router": partial(run_router, self.router, ask_admission, self.peers, send),
            "peers": self.peers.run,
        }
        if self.keeper is not None:
            run_actor["keeper"] = partial(run_keeper, self.keeper)
        return [
            ChildSpecification(name, partial(self._known, name, run))
            for name, run in run_actor.items()
        ]

    def _is_unsendable(self) -> bool:
        rate = self.faults.get("unsendable", 0.0)
        return rate > 0.0 and self._chance.random() < rate

    async def _run_alarms(self) -> None:
        """Alarms do not ring while the host stands still: they all ring late, at once."""
        while True:
            with trio.CancelScope() as self._ringing:
                await run_alarms(self.alarms)
            while self.paused:
                await trio.sleep(BLINK)

    async def _run_kernel(self) -> None:
        await run_kernel(self._received_commands, self.kernel, self.kernel_state, self.hub.publish)

    async def _known(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run an actor; its task is known by its name."""
        self.tasks[name] = trio.lowlevel.current_task()
        try:
            await run()
        finally:
            # The task goes on as the supervisor's, which is not to be hit.
            del self.tasks[name]
