"""The daemon: builds everything, says who supervises whom, and takes it down.

    supervisor (one_for_one)
      workers         the crypto pool
      alarms          the deadlines of all associations
      kernel          what is installed; userspace: the data plane's own actor, where it is in use
      sockets         UDP 500 and 4500
      addresses       this host's addresses and routes, as they change
      names           what the DNS names of the configuration resolve to
      router          admission of strangers
      peers           one actor per association, supervised apart
      control         the admin socket
      log, key-log, recorder    write down what happens (see `writers`)

One_for_one, because what an actor works on is made here and outlives it: sockets, the TUN device,
channels, mailboxes, tables and the registry of what is installed. A successor picks all that up,
so the death of one actor is no reason to end those started after it; with rest_for_one the peers,
which come late, would lose every established association with the first of the others.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import trio

from ikeactors import __version__
from ikeactors.actors.addresses import HostAddresses, run_addresses
from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.backends import Backend
from ikeactors.actors.budgets import Budgets
from ikeactors.actors.control import run_control
from ikeactors.actors.core import CoreAssociations, consider
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.garbage import settle
from ikeactors.actors.kernel import (
    Command,
    KernelState,
    kernel_statistics,
    open_commands,
    remove_all,
    run_kernel,
    usage_of,
)
from ikeactors.actors.lives import Lives
from ikeactors.actors.names import Lookup, Names, run_names, system_lookup
from ikeactors.actors.peer import Outlets
from ikeactors.actors.peers import Peers
from ikeactors.actors.probing import Choice, Entropy, OpenUserspace, probe
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.router import Router, run_router
from ikeactors.actors.routes import Routing
from ikeactors.actors.shunts import shunts
from ikeactors.actors.signals import heed_signals
from ikeactors.actors.sockets import Sockets, SocketSettings, run_sockets
from ikeactors.actors.supervisor import ChildSpecification, Intensity, Supervisor
from ikeactors.actors.token_secret import token_of_unless_refused
from ikeactors.actors.unix_socket import ControlListener, open_listener
from ikeactors.actors.userspace import UserspaceBackend, run_userspace
from ikeactors.actors.workers import Workers, run_worker, threads
from ikeactors.actors.xfrm_routes import with_routes
from ikeactors.admin.authority import Authority, authority_of
from ikeactors.admin.ports import Surroundings as AdminSurroundings
from ikeactors.admin.server import Dispatcher
from ikeactors.config import Configuration, DaemonSettings
from ikeactors.protocol.actions import Report
from ikeactors.protocol.entropy import Entropy as CoreEntropy
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.protocol.tokens import TokenOf
from ikeactors.writers import Writers, open_writers

# More crashes than an unlucky hour has. The back-off of five seconds comes before that, so that
# a stranger who found a way to crash the router alone could not end the daemon with it.
_INTENSITY = Intensity(restarts=25, period=60.0)
# For the kernel actor to remove what unresponsive peers have left.
_REMOVAL_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the configuration; whence data plane and chance come."""

    key_log: Path | None = None
    probe: Callable[[str, Entropy, OpenUserspace], Awaitable[Choice]] = probe
    entropy: CoreEntropy = field(default_factory=SystemEntropy)
    lookup: Lookup = system_lookup


async def run_daemon(
    configuration: Configuration, options: Options, ready: Callable[[], None]
) -> None:
    """Be the daemon until SIGTERM, SIGINT or an operator says stop; a second signal insists.

    `ready` is called once peers are served.
    """
    async with AsyncExitStack() as stack:
        daemon = await _build(configuration, options, stack)
        supervisor = _supervisor(daemon)
        async with trio.open_nursery() as nursery:
            await nursery.start(heed_signals, daemon.stopping, nursery.cancel_scope, daemon.hub)
            nursery.start_soon(supervisor.run)
            daemon.hub.publish(Report("daemon-started", _description(daemon)))
            for request in shunts(configuration.connections):
                await daemon.kernel.send(request)
            daemon.peers.start_configured()
            settle()
            ready()
            await daemon.stopping.wait()
            await _take_down(daemon)
            daemon.hub.publish(Report("daemon-stopped", "everything is taken down"))
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class _Daemon:
    """All that outlives the actors."""

    configuration: Configuration
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
    writers: Writers
    listener: ControlListener
    authority: Authority
    stopping: trio.Event


async def _build(configuration: Configuration, options: Options, stack: AsyncExitStack) -> _Daemon:
    """Make everything, in the order in which it is needed; `stack` closes it."""
    settings = configuration.daemon
    hub = ReportHub(time.time)
    # First of all, so that it hears everything.
    names = Names(options.lookup, configuration.names(), hub)
    core = configuration.settings(options.key_log is not None, names.names_of)
    writers = open_writers(configuration, core, options.key_log, hub)
    stack.push_async_callback(writers.aclose)
    authority = authority_of(settings.admin_group)
    listener = open_listener(Path(settings.admin_socket), authority.group)
    stack.callback(listener.close)
    sockets = Sockets(_socket_settings(settings), hub)
    stack.callback(sockets.close)
    open_userspace = partial(_open_userspace, settings, sockets)
    choice = await options.probe(settings.kernel, SystemEntropy().octets, open_userspace)
    choice = replace(choice, backend=await with_routes(choice.backend, _routing(settings)))
    is_userspace = isinstance(choice.backend, UserspaceBackend)
    kernel_state = KernelState()
    stack.push_async_callback(_clear, choice.backend, kernel_state)
    sockets.open(esp_in_kernel=not is_userspace)
    router, alarms, answers = Router(hub, Budgets(settings.budget_limits())), Alarms(), Answers()
    workers = Workers(threads(settings.workers))
    kernel, commands = open_commands()
    registry = PeerRegistry(router, kernel, answers)
    addresses = HostAddresses()
    outlets = Outlets(router, sockets, kernel, workers, alarms, hub, writers.key_log, registry)
    surroundings = _surroundings(
        configuration, options, sockets, addresses, hub, registry, router.budgets, is_userspace
    )
    associations = CoreAssociations(core, surroundings, writers.recorder)
    lives = _lives(core, associations, outlets, registry, sockets, names)
    return _Daemon(
        configuration=configuration,
        hub=hub,
        answers=answers,
        sockets=sockets,
        addresses=addresses,
        names=names,
        router=router,
        admission=Admission(
            surroundings.entropy,
            settings.admission_limits(),
            surroundings.refusals,
            surroundings.token_of,
        ),
        alarms=alarms,
        workers=workers,
        choice=choice,
        kernel_state=kernel_state,
        commands=commands,
        kernel=kernel,
        peers=Peers(core, lives, registry, router),
        writers=writers,
        listener=listener,
        authority=authority,
        stopping=trio.Event(),
    )


def _surroundings(
    configuration: Configuration,
    options: Options,
    sockets: Sockets,
    addresses: HostAddresses,
    hub: ReportHub,
    registry: PeerRegistry,
    budgets: Budgets,
    is_userspace: bool,
) -> Surroundings:
    """What all associations share."""
    limits = configuration.daemon.admission_limits()
    _, nat_port = sockets.local_ports()
    return Surroundings(
        options.entropy,
        nat_port=nat_port,
        encapsulate=is_userspace,
        puzzle_max_difficulty=configuration.daemon.puzzle_max_difficulty,
        half_open_timeout=lambda: limits.timeout_among(registry.census.half_open),
        is_heard=hub.is_wanted,
        stands=registry.claims.stands,
        is_up=registry.census.is_up,
        token_of=_token_of(configuration, hub),
        holds=budgets.hoard.hold,
        auth_difficulty=partial(_auth_difficulty, limits, registry, budgets),
        wall_clock=time.time,
        credentials=configuration.credentials,
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


def _lives(
    settings: Settings,
    associations: CoreAssociations,
    outlets: Outlets,
    registry: PeerRegistry,
    sockets: Sockets,
    names: Names,
) -> Lives:
    """Associations from their beginning to their end, and where they call from."""
    ike_port, _ = sockets.local_ports()
    locator = Locator(sockets.source_for, ike_port, names.resolve)
    return Lives(settings, associations, locator, outlets, registry, random.random)


def _supervisor(daemon: _Daemon) -> Supervisor:
    """The supervisor of all actors; the admin socket shows its statistics too."""

    def statistics() -> Mapping[str, object]:
        return {"supervisor": supervisor.statistics(), **_statistics(daemon)}

    dispatcher = Dispatcher(_admin_surroundings(daemon, statistics))
    children = (*_carriers(daemon), *daemon.writers.children(), _control(daemon, dispatcher))
    supervisor = Supervisor("daemon", children, daemon.hub, random.random, intensity=_INTENSITY)
    return supervisor


def _carriers(daemon: _Daemon) -> Iterator[ChildSpecification]:
    """The actors between the network, the associations and the data plane."""
    backend, peers, sockets = daemon.choice.backend, daemon.peers, daemon.sockets
    run_actor: dict[str, Callable[[], Awaitable[None]]] = {
        f"worker-{number}": partial(run_worker, daemon.workers)
        for number in range(1, daemon.configuration.daemon.workers + 1)
    }
    receive_esp = _ignore_esp
    if isinstance(backend, UserspaceBackend):
        run_actor["userspace"] = partial(run_userspace, backend)
        receive_esp = backend.plane.receive
    ask_admission = partial(consider, daemon.admission, peers)
    run_actor |= {
        "alarms": partial(run_alarms, daemon.alarms),
        "kernel": partial(
            run_kernel, daemon.commands, backend, daemon.kernel_state, daemon.hub.publish
        ),
        "sockets": partial(run_sockets, sockets, daemon.router.deliver, receive_esp),
        "addresses": partial(run_addresses, daemon.addresses, daemon.hub, peers.look_around),
        "names": partial(run_names, daemon.names, peers.look_around),
        "router": partial(run_router, daemon.router, ask_admission, peers, sockets.send_message),
        "peers": peers.run,
    }
    for name, start in run_actor.items():
        yield ChildSpecification(name, start)


def _control(daemon: _Daemon, dispatcher: Dispatcher) -> ChildSpecification:
    return ChildSpecification(
        "control", partial(run_control, daemon.listener, dispatcher, daemon.hub)
    )


def _admin_surroundings(
    daemon: _Daemon, statistics: Callable[[], Mapping[str, object]]
) -> AdminSurroundings:
    core = daemon.configuration.settings()
    return AdminSurroundings(
        peers=daemon.peers,
        hub=daemon.hub,
        answers=daemon.answers,
        levels=daemon.writers.log.levels,
        authority=daemon.authority,
        settings=lambda: core,
        usage=partial(usage_of, daemon.kernel),
        statistics=statistics,
        failures=daemon.peers.failures,
        stop=daemon.stopping.set,
        kernel=daemon.choice.backend.name,
        kernel_reason=daemon.choice.reason,
        pid=os.getpid(),
        started_at=trio.current_time(),
        monotonic=trio.current_time,
    )


def _statistics(daemon: _Daemon) -> dict[str, object]:
    statistics: dict[str, object] = {
        "sockets": daemon.sockets.statistics(),
        "addresses": daemon.addresses.statistics(),
        "names": daemon.names.statistics(),
        "router": daemon.router.statistics(),
        "peers": daemon.peers.statistics(),
        "budgets": daemon.router.budgets.statistics(trio.current_time()),
        "alarms": daemon.alarms.statistics(),
        "workers": daemon.workers.statistics(),
        "kernel": kernel_statistics(daemon.choice.backend, daemon.kernel_state),
        "control": daemon.listener.statistics(),
        "reports": daemon.hub.statistics(),
        **daemon.writers.statistics(),
    }
    if isinstance(daemon.choice.backend, UserspaceBackend):
        statistics["userspace"] = daemon.choice.backend.statistics()
    return statistics


async def _take_down(daemon: _Daemon) -> None:
    """Delete every IKE SA, and let the kernel actor do what that asks of it."""
    await daemon.peers.stop(daemon.configuration.daemon.stop_timeout)
    with trio.move_on_after(_REMOVAL_PATIENCE):
        # An answer means that all commands before it are done.
        await usage_of(daemon.kernel, ())


async def _clear(backend: Backend, state: KernelState) -> None:
    """Take away what unresponsive peers have left in the data plane, and the data plane."""
    with trio.move_on_after(_REMOVAL_PATIENCE, shield=True):
        await remove_all(backend, state)
    await backend.aclose()


def _description(daemon: _Daemon) -> str:
    ports = "{}/{}".format(*daemon.sockets.local_ports())
    return (
        f"ikeactors {__version__}, process {os.getpid()}: "
        f"{len(daemon.configuration.connections)} connections, UDP ports {ports}, "
        f"data plane {daemon.choice.backend.name} ({daemon.choice.reason})"
    )


def _ignore_esp(octets: bytes, local: Endpoint, remote: Endpoint) -> None:
    """The kernel takes ESP out before we see it; what comes here is of no SA."""


async def _open_userspace(settings: DaemonSettings, sockets: Sockets) -> Backend:
    return await UserspaceBackend.open(
        sockets.send,
        SystemEntropy().octets,
        device=settings.tun_name,
        mtu=settings.tun_mtu,
        routing=_routing(settings),
    )


def _routing(settings: DaemonSettings) -> Routing:
    return Routing(settings.install_routes, settings.routing_table, mark=settings.routing_mark)


def _socket_settings(settings: DaemonSettings) -> SocketSettings:
    return SocketSettings(
        settings.listen, settings.port, settings.port_nat_t, settings.routing_mark
    )
