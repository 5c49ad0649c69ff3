"""The tree of actors: who supervises whom, and what the admin socket is shown of them.

    supervisor (one_for_one)
      workers         the crypto pool
      alarms          the deadlines of all associations
      kernel          what is installed; userspace: the data plane's own actor, where it is in use
      sockets         UDP 500 and 4500
      addresses       this host's addresses and routes, as they change
      names           what the DNS names of the configuration resolve to
      router          admission of strangers
      peers           one actor per association, supervised apart
      revocation      fetches CRLs and asks OCSP responders, where certificates are in use
      tokens          has keys on PKCS #11 tokens sign
      credentials     looks whether keys and certificates have changed on disk
      traps           policies without an SA, and packets that need one
      reconciler      compares the data plane with what should be there
      control         the admin socket
      log, key-log, recorder    write down what happens (see `writers`)

One_for_one, because what an actor works on is made here and outlives it: sockets, the TUN device,
channels, mailboxes, tables and the registry of what is installed. A successor picks all that up,
so the death of one actor is no reason to end those started after it; with rest_for_one the peers,
which come late, would lose every established association with the first of the others.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import trio

from ikeactors.actors.core import consider
from ikeactors.actors.kernel import (
    run_kernel,
    usage_of,
)
from ikeactors.actors.kernel_statistics import kernel_statistics
from ikeactors.actors.names import run_names
from ikeactors.actors.router import run_router
from ikeactors.actors.service_manager import Check, Watchdog, ask_admin_socket, watchdog_interval
from ikeactors.actors.supervisor import ChildSpecification, Intensity, Supervisor
from ikeactors.actors.userspace import UserspaceBackend, run_userspace
from ikeactors.actors.workers import run_worker
from ikeactors.admin.ports import Surroundings as AdminSurroundings
from ikeactors.admin.server import Dispatcher
from ikeactors.admin.vocabulary import Request, write_request
from ikeactors.parts import Parts
from ikeactors.protocol.events import Endpoint

# More crashes than an unlucky hour has. The back-off of five seconds comes before that, so that
# a stranger who found a way to crash the router alone could not end the daemon with it.
_INTENSITY = Intensity(restarts=25, period=60.0)


def _as_it_is(specification: ChildSpecification) -> ChildSpecification:
    """Nobody looks."""
    return specification


Watch = Callable[[ChildSpecification], ChildSpecification]


def supervise(daemon: Parts, watched: Watch = _as_it_is) -> Supervisor:
    """The supervisor of all actors; the admin socket shows its statistics too.

    `watched` makes each specification one that somebody looks at.
    """

    def statistics() -> Mapping[str, object]:
        return {"supervisor": supervisor.statistics(), **_statistics(daemon)}

    dispatcher = Dispatcher(_admin_surroundings(daemon, statistics))
    children = (
        *_carriers(daemon),
        *daemon.writers.children(),
        *daemon.trust.children(),
        ChildSpecification("credentials", daemon.reloading.watch),
        _control(daemon, dispatcher),
        *_watchdog(daemon),
    )
    supervisor = Supervisor(
        "daemon", [*map(watched, children)], daemon.hub, daemon.ports.chance, intensity=_INTENSITY
    )
    return supervisor


def _carriers(daemon: Parts) -> Iterator[ChildSpecification]:
    """The actors between the network, the associations and the data plane."""
    backend, peers, sockets = daemon.choice.backend, daemon.peers, daemon.sockets
    ports = daemon.ports
    run_actor: dict[str, Callable[[], Awaitable[None]]] = {
        f"worker-{number}": partial(run_worker, daemon.workers)
        for number in range(1, daemon.configuration.daemon.workers + 1)
    }
    receive_esp = _ignore_esp
    if isinstance(backend, UserspaceBackend):
        run_actor["userspace"] = partial(run_userspace, backend)
        receive_esp = backend.plane.receive
    look_around = partial(_look_around, daemon)
    ask_admission = partial(consider, daemon.admission, peers)
    run_actor |= {
        "alarms": partial(ports.run_alarms, daemon.alarms),
        "kernel": partial(
            run_kernel,
            daemon.commands,
            backend,
            daemon.kernel_state,
            daemon.hub.publish,
            daemon.traps.acquired,
        ),
        "sockets": partial(ports.run_sockets, sockets, daemon.router.deliver, receive_esp),
        "addresses": partial(ports.run_addresses, daemon.addresses, daemon.hub, look_around),
        "names": partial(run_names, daemon.names, look_around),
        "router": partial(run_router, daemon.router, ask_admission, peers, sockets.send_message),
        "peers": peers.run,
        "traps": daemon.traps.run,
        "reconciler": daemon.reconciler.run,
    }
    for name, start in run_actor.items():
        yield ChildSpecification(name, start)


async def _look_around(daemon: Parts, have_changed: bool) -> None:
    """Routes, and addresses too if these have changed, may lead elsewhere."""
    daemon.traps.look_around()
    await daemon.peers.look_around(have_changed)


def _ignore_esp(octets: bytes, local: Endpoint, remote: Endpoint) -> None:
    """The kernel takes ESP out before we see it; what comes here is of no SA."""


def _control(daemon: Parts, dispatcher: Dispatcher) -> ChildSpecification:
    run = partial(daemon.ports.run_control, daemon.listener, dispatcher, daemon.hub)
    return ChildSpecification("control", run)


def _watchdog(daemon: Parts) -> Iterator[ChildSpecification]:
    """Where systemd waits for signs of life."""
    interval = watchdog_interval()
    if interval is None:
        return
    socket = Path(daemon.configuration.daemon.admin_socket)
    request = write_request(Request(1, "version", {}))
    checks: dict[str, Check] = {
        "the kernel actor": partial(usage_of, daemon.kernel, ()),
        "the admin socket": partial(ask_admin_socket, socket, request),
    }
    watchdog = Watchdog(interval, checks, partial(_status, daemon), daemon.hub)
    yield ChildSpecification("watchdog", watchdog.run)


def _status(daemon: Parts) -> str:
    """What `systemctl status` shows."""
    peers = daemon.peers.statistics()
    return f"{peers.established} IKE SAs established, {peers.half_open} half-open"


def _admin_surroundings(
    daemon: Parts, statistics: Callable[[], Mapping[str, object]]
) -> AdminSurroundings:
    return AdminSurroundings(
        peers=daemon.peers,
        hub=daemon.hub,
        answers=daemon.answers,
        levels=daemon.writers.log.levels,
        authority=daemon.authority,
        settings=lambda: daemon.reloading.settings[0],
        usage=partial(usage_of, daemon.kernel),
        standing=daemon.standing,
        compare=daemon.reconciler.compare,
        statistics=statistics,
        failures=daemon.peers.failures,
        stop=daemon.stop,
        reload=daemon.reloading.reload,
        kernel=daemon.choice.backend.name,
        kernel_reason=daemon.choice.reason,
        pid=os.getpid(),
        started_at=trio.current_time(),
        monotonic=trio.current_time,
    )


def _statistics(daemon: Parts) -> dict[str, object]:
    statistics: dict[str, object] = {
        "sockets": daemon.sockets.statistics(),
        "addresses": daemon.addresses.statistics(),
        "names": daemon.names.statistics(),
        "router": daemon.router.statistics(),
        "peers": daemon.peers.statistics(),
        "traps": daemon.traps.statistics(),
        "budgets": daemon.router.budgets.statistics(trio.current_time()),
        "alarms": daemon.alarms.statistics(),
        "workers": daemon.workers.statistics(),
        "kernel": kernel_statistics(daemon.choice.backend, daemon.kernel_state),
        "reconciler": daemon.reconciler.statistics(),
        "control": daemon.listener.statistics(),
        "reports": daemon.hub.statistics(),
        **daemon.writers.statistics(),
        **daemon.trust.statistics(),
    }
    if isinstance(daemon.choice.backend, UserspaceBackend):
        statistics["userspace"] = daemon.choice.backend.statistics()
    return statistics
