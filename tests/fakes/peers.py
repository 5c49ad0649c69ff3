"""All that surrounds associations, with fakes at the edges: for tests of peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import trio

from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.kernel import (
    Command,
    ForgetOwner,
    KernelRequest,
    UsageRequest,
    open_commands,
)
from ikeactors.actors.lives import Lives
from ikeactors.actors.names import Unresolved
from ikeactors.actors.peer import Outlets
from ikeactors.actors.peers import Peers
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.router import Router
from ikeactors.actors.workers import Workers, run_worker
from ikeactors.kernel.requests import SaUsage
from ikeactors.protocol.actions import InstallChildSa
from ikeactors.protocol.events import Address, ChildSaInstalled
from ikeactors.protocol.settings import (
    AddressPattern,
    ChildSettings,
    ConnectionSettings,
    DownAction,
    Settings,
    StartAction,
)
from tests.fakes.associations import LOCAL, REMOTE, FakeAssociations, FakeSender, Step, in_place


def connection(
    name: str = "net",
    *,
    start: bool = False,
    keyingtries: int = 0,
    close_action: DownAction = DownAction.CLEAR,
    dpd_action: DownAction = DownAction.CLEAR,
    remote: str = "192.0.2.2",
) -> ConnectionSettings:
    """A connection with one child."""
    address = ip_address(remote)
    action = StartAction.START if start else StartAction.NONE
    child = ChildSettings(
        "child", start_action=action, close_action=close_action, dpd_action=dpd_action
    )
    return ConnectionSettings(
        name,
        remote_addrs=(AddressPattern(address, address),),
        children=(child,),
        keyingtries=keyingtries,
    )


@dataclass
class World:
    """The peers, what they were given, and what came of it."""

    scripts: list[Sequence[Step]] = field(default_factory=list)
    connections: tuple[ConnectionSettings, ...] = (connection(),)
    source: Address | None = LOCAL.address
    names: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    kernel_delay: float = 0.0
    associations: FakeAssociations = field(default_factory=FakeAssociations)
    sender: FakeSender = field(default_factory=FakeSender)

    def __post_init__(self) -> None:
        self.associations.scripts = self.scripts
        self.hub = ReportHub(lambda: 0.0)
        self.reports = self.hub.subscribe()
        self.router, self.alarms, self.answers = Router(self.hub), Alarms(), Answers()
        self.workers = Workers(in_place())
        self.kernel, self._commands = open_commands()
        self.commands: list[Command] = []
        self.settings = Settings(self.connections)
        self.registry = PeerRegistry(self.router, self.kernel, self.answers)
        self.outlets = Outlets(
            self.router,
            self.sender,
            self.kernel,
            self.workers,
            self.alarms,
            self.hub,
            None,
            self.registry,
        )
        self.lives = Lives(
            self.settings,
            self.associations,
            Locator(lambda _: self.source, 500, self._resolve),
            self.outlets,
            self.registry,
            lambda: 0.0,
        )
        self.peers = Peers(self.settings, self.lives, self.registry, self.router)

    async def _resolve(self, name: str) -> tuple[Address, ...]:
        if name not in self.names:
            raise Unresolved(f"{name} does not resolve: NXDOMAIN")
        return self.names[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[trio.Nursery]:
        """All actors run."""
        async with trio.open_nursery() as nursery:
            for run in (self.serve_kernel, self.peers.run):
                nursery.start_soon(run)
            nursery.start_soon(run_alarms, self.alarms)
            nursery.start_soon(run_worker, self.workers)
            yield nursery
            nursery.cancel_scope.cancel()

    async def serve_kernel(self) -> None:
        """A kernel actor that installs whatever it is asked to."""
        async for command in self._commands:
            self.commands.append(command)
            if isinstance(command, KernelRequest) and isinstance(command.action, InstallChildSa):
                await trio.sleep(self.kernel_delay)
                command.mailbox.post_assured(ChildSaInstalled(command.action.ticket))
            elif isinstance(command, UsageRequest):
                command.reply([SaUsage(one, 100, 1, 0.0) for one in command.sa_ids])

    @property
    def forgotten(self) -> list[int]:
        """The owners whose SAs were to be removed."""
        return [command.owner for command in self.commands if isinstance(command, ForgetOwner)]

    async def told(self) -> list[str]:
        """The names of the reports so far; no report is heard after that."""
        self.reports.close()
        return [published.report.name async for published in self.reports]


__all__ = ["LOCAL", "REMOTE", "World", "connection"]
