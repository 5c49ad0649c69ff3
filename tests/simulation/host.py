"""One host: the daemon's own tree of actors over simulated ports.

What a process has in its memory is made anew by each; kernel, store and place in the network are
the host's.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio

from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.keeper import Keeper
from ikeactors.actors.kernel import Command, KernelState
from ikeactors.actors.log import Log, LogLevels
from ikeactors.actors.log_lines import LogFormat, line_form
from ikeactors.actors.peers import Peers
from ikeactors.actors.probing import Choice
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.sockets import Sockets, SocketSettings
from ikeactors.actors.supervisor import ChildSpecification
from ikeactors.config import Configuration, DaemonSettings
from ikeactors.daemon import serve
from ikeactors.parts import Options, Parts, build
from ikeactors.ports import Ports
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address
from ikeactors.protocol.settings import Settings
from ikeactors.tree import supervise
from ikeactors.writers import Writers
from tests.pair import SeededEntropy
from tests.simulation.hearing import AnswerBook, Ledger
from tests.simulation.kernel import HostKernel
from tests.simulation.network import Datagram, Network
from tests.simulation.ports import (
    BLINK,
    SimulatedSockets,
    in_place,
    late,
    no_listener,
    nobody_asks,
    run_simulated_sockets,
    stays_as_it_is,
)
from tests.simulation.replays import Reel
from tests.simulation.store import FaultyStore

# As long as a write to a disk may take before it is durable, and again before it says so.
_WRITE_SECONDS = 0.005
# No budget of time: how long a step takes is not the simulation's to say.
_NOWHERE = Path("/nonexistent")
# It compares more often than a daemon does, so that there is some of that in a run.
_DAEMON = DaemonSettings(
    workers=1,
    stop_timeout=10.0,
    peer_cpu=0,
    admin_socket=str(_NOWHERE / "admin.sock"),
    store="none",
    stop_action="delete",
    reconcile_interval=20.0,
)

# Which host a task is of.
HOST: contextvars.ContextVar[int] = contextvars.ContextVar("HOST")

Hear = Callable[["Host", int, Report], None]
# Called with what a process is about to do, or has just done, outside of itself.
Step = Callable[["Host", str], None]


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

    daemon: Parts
    sockets: SimulatedSockets

    def __init__(
        self, number: int, address: Address, configuration: Configuration, around: Surrounding
    ) -> None:
        self.number = number
        self.address = address
        self.kernel = HostKernel(Random(f"{around.seed}/{number}/kernel"))
        self.faults: Mapping[str, float] = {}
        self.reel = Reel()
        self.tasks: dict[str, trio.lowlevel.Task] = {}
        self.kills = 0
        self.paused_until = 0.0
        self.is_down = True
        self.stepping: Step = _nobody_counts
        self.configuration = replace(configuration, daemon=_DAEMON, credentials_directory=_NOWHERE)
        self._around = around
        self._chance = Random(f"{around.seed}/{number}/chance")
        self.store = FaultyStore() if around.keeps else None
        self._process = trio.CancelScope()
        self._ringing: trio.CancelScope | None = None
        self._down_for = 0.0
        self.kernel.stepping = partial(self.step, "kernel")

    # What is looked at from outside.

    @property
    def peers(self) -> Peers:
        """The associations of the present process."""
        return self.daemon.peers

    @property
    def registry(self) -> PeerRegistry:
        """Who is where, and who stands."""
        return self.daemon.registry

    @property
    def kernel_state(self) -> KernelState:
        """What the daemon believes to be installed."""
        return self.daemon.kernel_state

    @property
    def commands(self) -> trio.MemorySendChannel[Command]:
        """The way to the kernel actor."""
        return self.daemon.kernel

    @property
    def hub(self) -> ReportHub:
        """Where reports go."""
        return self.daemon.hub

    @property
    def answers(self) -> AnswerBook:
        """What operators wait for."""
        assert isinstance(self.daemon.answers, AnswerBook)
        return self.daemon.answers

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return trio.current_time() < self.paused_until

    def all_tasks(self) -> list[trio.lowlevel.Task]:
        """The actors' tasks and those below them, in the order in which they began."""
        actors = list(self.tasks.values())
        below = [
            task for actor in actors for nursery in actor.child_nurseries
            for task in nursery.child_tasks
        ]  # fmt: skip
        return sorted((*actors, *below), key=lambda task: task._counter)

    # What happens to it.

    def suffer(self, faults: Mapping[str, float]) -> None:
        """These faults are in force from now on."""
        self.faults = self.kernel.faults = faults
        if self.store is not None and not faults:
            self.store.fault = ""

    def pause(self, until: float) -> None:
        """Stand still, as a process that is stopped: timers and datagrams wait, others go on."""
        self.paused_until = until
        if self._ringing is not None:
            self._ringing.cancel()

    def receive(self, datagram: Datagram) -> None:
        """The network has brought an IKE datagram or a keepalive."""
        if not self.is_down:
            self.sockets.receive(datagram)

    def kill(self, down_for: float) -> None:
        """End the process where it is; after so many seconds there is another one."""
        if not self.is_down:
            self.is_down, self._down_for = True, down_for
            self._process.cancel()

    def step(self, what: str) -> None:
        """Its process does something outside, unless it is dead."""
        if not self.is_down:
            self.stepping(self, what)

    # Its processes.

    async def run(self, stop: trio.Event) -> None:
        """Be the daemon until it is told to stop, and take everything down."""
        HOST.set(self.number)
        while True:
            with trio.CancelScope() as self._process:
                await self._live(stop)
            if not self._process.cancelled_caught:
                return
            await trio.sleep(self._down_for)
            self.kills += 1
            self.kernel.listen_anew()

    async def _live(self, stop: trio.Event) -> None:
        """One process. One that is killed closes nothing."""
        self.tasks, self._ringing = {}, None
        stack = AsyncExitStack()
        self.daemon = await build(self.configuration, Options(ports=self._ports()), stack)
        self.is_down = False
        with self.daemon.listener.socket:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pass_on, stop)
                await serve(self.daemon, supervise(self.daemon, self._watched), _nothing)
                nursery.cancel_scope.cancel()
        await stack.aclose()

    async def _pass_on(self, stop: trio.Event) -> None:
        await stop.wait()
        self.daemon.stopping.set()

    def _ports(self) -> Ports:
        """What this process has of its host."""
        number, seed, kills = self.number, self._around.seed, self.kills
        return Ports(
            probe=self._choose,
            entropy=SeededEntropy(f"{seed}/{number}" + f"/{kills}" * bool(kills)),
            chance=self._chance.random,
            wall_clock=trio.current_time,
            carrier=lambda count: late(self._chance, lambda: self.faults.get("slow-worker", 0.0)),
            carry=in_place,
            hub=self._hub,
            answers=AnswerBook,
            writers=self._writers,
            recorder=self.reel,
            listen=no_listener,
            sockets=self._sockets,
            run_sockets=run_simulated_sockets,
            run_addresses=stays_as_it_is,
            run_alarms=self._run_alarms,
            run_control=nobody_asks,
        )

    async def _choose(self, *_: object) -> Choice:
        return Choice(self.kernel, "a simulation")

    def _hub(self, clock: Callable[[], float]) -> ReportHub:
        return Ledger(clock, partial(self._around.hear, self), self._around.wants_debug)

    def _sockets(self, settings: SocketSettings, hub: ReportHub) -> Sockets:
        self.sockets = SimulatedSockets(self, self._around.network, self._is_unsendable)
        return self.sockets

    def _writers(
        self, configuration: Configuration, core: Settings, key_log: Path | None, hub: ReportHub
    ) -> Writers:
        """The log is not written: what it would say is heard."""
        form = line_form(LogFormat.TEXT, to_journal=False)
        log = Log(hub, LogLevels(Level.ERROR), form, _forget)
        return Writers(log, None, None, self._keeper(hub), None)

    def _keeper(self, hub: ReportHub) -> Keeper | None:
        if self.store is None:
            return None
        publish: Callable[[Report], None] = hub.publish
        return Keeper(self.store, publish, trio.current_time, carry=self._write)

    async def _write(self, work: Callable[..., object], *arguments: object) -> Any:
        """A thread that writes, and is in time or not when the process ends."""
        await trio.sleep(self._chance.uniform(0.0, _WRITE_SECONDS))
        self.step("write begun")
        await trio.lowlevel.checkpoint_if_cancelled()
        done = work(*arguments)
        self.step("write done")
        await trio.sleep(self._chance.uniform(0.0, _WRITE_SECONDS))
        return done

    def _is_unsendable(self) -> bool:
        rate = self.faults.get("unsendable", 0.0)
        return rate > 0.0 and self._chance.random() < rate

    async def _run_alarms(self, alarms: Alarms) -> None:
        """Alarms do not ring while the host stands still: they all ring late, at once."""
        while True:
            with trio.CancelScope() as self._ringing:
                await run_alarms(alarms)
            while self.paused:
                await trio.sleep(BLINK)

    def _watched(self, child: ChildSpecification) -> ChildSpecification:
        return replace(child, start=partial(self._known, child.name, child.start))

    async def _known(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run an actor; its task is known by its name."""
        self.tasks[name] = trio.lowlevel.current_task()
        try:
            await run()
        finally:
            # The task goes on as the supervisor's, which is not to be hit.
            self.tasks.pop(name, None)


def _nobody_counts(host: Host, what: str) -> None:
    """Steps of no interest."""


def _nothing() -> None:
    """Nobody waits for the daemon to be up."""


def _forget(octets: bytes) -> None:
    """Nobody reads the log."""
