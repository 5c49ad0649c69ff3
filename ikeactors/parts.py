"""All that outlives the actors: what they work on, made in the order in which it is needed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import trio

from ikeactors.actors.addresses import HostAddresses
from ikeactors.actors.alarms import Alarms
from ikeactors.actors.backends import Backend
from ikeactors.actors.budgets import Budgets
from ikeactors.actors.core import CoreAssociations
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.installed import BLOCKING
from ikeactors.actors.kernel import (
    Command,
    KernelState,
    open_commands,
    remove_all,
)
from ikeactors.actors.lives import Lives
from ikeactors.actors.names import Names
from ikeactors.actors.peer import Outlets
from ikeactors.actors.peers import Peers
from ikeactors.actors.probing import Choice, why_no_compression
from ikeactors.actors.reconciling import Reconciler, Sources
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.router import Router
from ikeactors.actors.routes import Routing
from ikeactors.actors.sockets import Sockets, SocketSettings
from ikeactors.actors.standing import StandingPolicies
from ikeactors.actors.token_secret import token_of_unless_refused
from ikeactors.actors.traps import FIRST_REQID, Traps
from ikeactors.actors.unix_socket import ControlListener
from ikeactors.actors.userspace import UserspaceBackend
from ikeactors.actors.workers import Workers
from ikeactors.actors.xfrm import XfrmBackend
from ikeactors.actors.xfrm_routes import with_routes
from ikeactors.admin.authority import Authority, authority_of
from ikeactors.config import Configuration, DaemonSettings
from ikeactors.expiring import ExpiryNotice
from ikeactors.ports import Ports
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.protocol.tokens import TokenOf
from ikeactors.reloading import Reloading
from ikeactors.returning import keeps
from ikeactors.trust import Trust, open_trust
from ikeactors.writers import Writers

# For the kernel actor to remove what unresponsive peers have left.
_REMOVAL_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the configuration, and what there is outside."""

    key_log: Path | None = None
    load: Callable[[], Configuration] | None = None
    ports: Ports = field(default_factory=Ports)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that outlives the actors."""

    configuration: Configuration
    ports: Ports
    hub: ReportHub
    answers: Answers
    sockets: Sockets
    addresses: HostAddresses
    names: Names
    router: Router
    admission: Admission
    alarms: Alarms
    workers: Workers
    choice: Choice
    kernel_state: KernelState
    commands: trio.MemoryReceiveChannel[Command]
    kernel: trio.MemorySendChannel[Command]
    peers: Peers
    registry: PeerRegistry
    traps: Traps
    standing: StandingPolicies
    reconciler: Reconciler
    writers: Writers
    trust: Trust
    reloading: Reloading
    listener: ControlListener
    authority: Authority
    stopping: trio.Event
    flushing: trio.Event

    def stop(self, flushes: bool) -> None:
        """Let the daemon end, and with it what is established where that is said."""
        if flushes:
            self.flushing.set()
        self.stopping.set()

    @property
    def leaves(self) -> bool:
        """Whether what is established is left to the next daemon."""
        return keeps(self.configuration) and not self.flushing.is_set()


async def build(configuration: Configuration, options: Options, stack: AsyncExitStack) -> Parts:
    """Make everything, in the order in which it is needed; `stack` closes it."""
    settings, ports = configuration.daemon, options.ports
    ground = _ground(configuration, options, stack)
    hub, names, core, sockets = ground.hub, ground.names, ground.core, ground.sockets
    writers = ground.writers
    choice = await _data_plane(configuration, options, sockets, hub)
    is_userspace = isinstance(choice.backend, UserspaceBackend)
    kernel_state, flushing = KernelState(), trio.Event()
    keeps_all = keeps(configuration)
    stack.push_async_callback(_clear, choice.backend, kernel_state, keeps_all, flushing)
    sockets.open(esp_in_kernel=not is_userspace)
    router, alarms, answers = (
        Router(hub, Budgets(settings.budget_limits())),
        Alarms(),
        ports.answers(),
    )
    workers = Workers(ports.carrier(settings.workers))
    kernel, commands = open_commands()
    registry = PeerRegistry(router, kernel, answers)
    addresses = ports.addresses()
    trust = open_trust(configuration, ports.lookup, workers, hub, ports.wall_clock)
    ways = (router, sockets, kernel, workers, alarms, hub, writers.key_log, registry)
    asked = trust, trust.name_checks, trust.look_up, trust.tokens.sign
    outlets = Outlets(*ways, writers.keeper, writers.followers, *asked)
    shared = (configuration, options, sockets, addresses, hub, registry)
    abilities = (is_userspace, choice.compresses)
    surroundings = _surroundings(*shared, router.budgets, trust, *abilities)
    associations = CoreAssociations(core, surroundings, ports.recorder or writers.recorder)
    locator = Locator(sockets.source_for, sockets.local_ports()[0], names.resolve)
    lives = Lives(core, associations, locator, outlets, registry, ports.chance)
    peers = Peers(core, lives, registry, router)
    traps = Traps(core, locator, kernel, hub, peers.acquire)
    registry.trap = traps.add
    return Parts(
        configuration=configuration,
        ports=ports,
        hub=hub,
        answers=answers,
        sockets=sockets,
        addresses=addresses,
        names=names,
        router=router,
        admission=_admission(settings, surroundings),
        alarms=alarms,
        workers=workers,
        choice=choice,
        kernel_state=kernel_state,
        commands=commands,
        kernel=kernel,
        peers=peers,
        registry=registry,
        traps=traps,
        standing=StandingPolicies(traps, kernel),
        reconciler=Reconciler(
            choice.backend,
            kernel_state,
            kernel,
            hub.publish,
            Sources(peers.children, lambda: traps.is_complete, FIRST_REQID),
            settings.reconcile_interval,
            ports.chance,
        ),
        writers=writers,
        trust=trust,
        reloading=_reloading(configuration, options, core, trust, hub),
        listener=ground.listener,
        authority=ground.authority,
        stopping=trio.Event(),
        flushing=flushing,
    )


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is made first: whoever reports, writes and listens."""

    hub: ReportHub
    names: Names
    core: Settings
    writers: Writers
    authority: Authority
    listener: ControlListener
    sockets: Sockets


def _ground(configuration: Configuration, options: Options, stack: AsyncExitStack) -> _Ground:
    settings, ports = configuration.daemon, options.ports
    hub = ports.hub(ports.wall_clock)
    # First of all, so that it hears everything.
    names = Names(ports.lookup, configuration.names(), hub)
    core = configuration.settings(options.key_log is not None, names.names_of)
    writers = ports.writers(configuration, core, options.key_log, hub)
    stack.push_async_callback(writers.aclose)
    authority = authority_of(settings.admin_group)
    listener = ports.listen(Path(settings.admin_socket), authority.group)
    stack.callback(listener.close)
    sockets = ports.sockets(_socket_settings(settings), hub)
    stack.callback(sockets.close)
    return _Ground(hub, names, core, writers, authority, listener, sockets)


async def _data_plane(
    configuration: Configuration, options: Options, sockets: Sockets, hub: ReportHub
) -> Choice:
    """Who carries ESP, with the routes and interfaces that go with it."""
    settings = configuration.daemon
    open_userspace = partial(_open_userspace, configuration, sockets)
    choice = await options.ports.probe(settings.kernel, SystemEntropy().octets, open_userspace)
    if isinstance(choice.backend, XfrmBackend):
        # No two daemons share it.
        choice.backend.be(settings.admin_socket)
    routed = await with_routes(choice.backend, _routing(configuration), configuration.interfaces)
    return replace(choice, backend=routed, compresses=_compresses(configuration, choice, hub))


def _compresses(configuration: Configuration, choice: Choice, hub: ReportHub) -> bool:
    """Whether the data plane does, where anybody has asked for it: that may load a module."""
    wanted = any(child.ipcomp for one in configuration.connections for child in one.children)
    if not wanted:
        return False
    why_not = why_no_compression(choice.backend, SystemEntropy().octets)
    if why_not:
        text = f"nothing is compressed, though ipcomp asks for it: {why_not}"
        hub.publish(Report("compression-unavailable", text, Level.WARNING))
    return not why_not


def _admission(settings: DaemonSettings, surroundings: Surroundings) -> Admission:
    return Admission(
        surroundings.entropy,
        settings.admission_limits(),
        surroundings.refusals,
        surroundings.token_of,
    )


def _reloading(
    configuration: Configuration, options: Options, core: Settings, trust: Trust, hub: ReportHub
) -> Reloading:
    load = options.load or (lambda: configuration)
    directory = configuration.credentials_directory
    notice = ExpiryNotice(hub, configuration.daemon.expiry_warning)
    clock, carry = options.ports.wall_clock, options.ports.carry
    return Reloading(load, directory, (core,), trust, hub, notice, clock, carry)


def _surroundings(
    configuration: Configuration,
    options: Options,
    sockets: Sockets,
    addresses: HostAddresses,
    hub: ReportHub,
    registry: PeerRegistry,
    budgets: Budgets,
    trust: Trust,
    is_userspace: bool,
    compresses: bool,
) -> Surroundings:
    """What all associations share."""
    limits = configuration.daemon.admission_limits()
    _, nat_port = sockets.local_ports()
    return Surroundings(
        options.ports.entropy,
        nat_port=nat_port,
        encapsulate=is_userspace,
        compresses=compresses,
        puzzle_max_difficulty=configuration.daemon.puzzle_max_difficulty,
        half_open_timeout=lambda: limits.timeout_among(registry.census.half_open),
        is_heard=hub.is_wanted,
        stands=registry.claims.stands,
        is_up=registry.census.is_up,
        token_of=_token_of(configuration, hub),
        holds=budgets.hoard.hold,
        auth_difficulty=partial(_auth_difficulty, limits, registry, budgets),
        wall_clock=options.ports.wall_clock,
        credentials=trust.credentials,
        keys_of=trust.keys_of,
        staple_of=trust.staple_of,
        addresses=addresses.addresses,
        source_for=sockets.source_for,
    )


def _auth_difficulty(limits: AdmissionLimits, registry: PeerRegistry, budgets: Budgets) -> int:
    return (
        0 if budgets.suspects.is_quiet else limits.auth_difficulty_among(registry.census.half_open)
    )


def _token_of(configuration: Configuration, hub: ReportHub) -> TokenOf:
    wanted = any(one.quick_crash_detection for one in configuration.connections)
    directory = Path(configuration.daemon.state_directory)
    return token_of_unless_refused(wanted, directory, SystemEntropy().octets, hub)


async def _clear(
    backend: Backend, state: KernelState, keeps_all: bool, flushing: trio.Event
) -> None:
    """Take away what unresponsive peers have left in the data plane, and the data plane."""
    with trio.move_on_after(_REMOVAL_PATIENCE, shield=True):
        if flushing.is_set() or not keeps_all:
            spared = () if flushing.is_set() else (BLOCKING,)
            await remove_all(backend, state, *spared)
    await backend.aclose()


async def _open_userspace(configuration: Configuration, sockets: Sockets) -> Backend:
    settings = configuration.daemon
    return await UserspaceBackend.open(
        sockets.send,
        SystemEntropy().octets,
        device=settings.tun_name,
        mtu=settings.tun_mtu,
        routing=_routing(configuration),
    )


def _routing(configuration: Configuration) -> Routing:
    settings = configuration.daemon
    return Routing(
        settings.install_routes,
        settings.routing_table,
        mark=settings.routing_mark,
        stays=keeps(configuration),
    )


def _socket_settings(settings: DaemonSettings) -> SocketSettings:
    return SocketSettings(
        settings.listen, settings.port, settings.port_nat_t, settings.routing_mark
    )
