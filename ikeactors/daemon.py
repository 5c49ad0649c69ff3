"""The daemon from its start to its end.

What it is made of is in `parts`, who supervises whom in `tree`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack

import trio

from ikeactors import __version__
from ikeactors.actors.blocks import blocks
from ikeactors.actors.garbage import settle
from ikeactors.actors.kernel import usage_of
from ikeactors.actors.shunts import shunts
from ikeactors.actors.signals import heed_signals
from ikeactors.actors.supervisor import Supervisor
from ikeactors.config import Configuration
from ikeactors.parts import Options, Parts, build
from ikeactors.protocol.actions import Report
from ikeactors.returning import sweep, take_back
from ikeactors.tree import supervise

# For the kernel actor to remove what unresponsive peers have left.
_REMOVAL_PATIENCE = 2.0
# For scripts that take away what they have set up.
_SCRIPTS_PATIENCE = 5.0
# For names of peers to resolve, until which nothing of theirs is protected.
_TRAP_PATIENCE = 2.0
# For associations of before to ask for their SAs: until then their policies must not be others'.
_RETURN_PATIENCE = 10.0


async def run_daemon(
    configuration: Configuration, options: Options, ready: Callable[[], None]
) -> None:
    """Be the daemon until SIGTERM, SIGINT or an operator says stop; a second signal insists.

    `ready` is called once peers are served.
    """
    async with AsyncExitStack() as stack:
        daemon = await build(configuration, options, stack)
        async with trio.open_nursery() as nursery:
            reload = daemon.reloading.try_reload
            await nursery.start(
                heed_signals, daemon.stopping, nursery.cancel_scope, daemon.hub, reload
            )

            def up() -> None:
                settle()
                ready()

            await serve(daemon, supervise(daemon), up)
            nursery.cancel_scope.cancel()


async def serve(daemon: Parts, supervisor: Supervisor, ready: Callable[[], None]) -> None:
    """Run all actors until the daemon is told to stop; what it takes to begin and to end well."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        daemon.hub.publish(Report("daemon-started", _description(daemon)))
        for request in shunts(daemon.configuration.connections):
            await daemon.kernel.send(request)
        were_kept = await take_back(daemon.writers.keeper, daemon.peers)
        with trio.move_on_after(_RETURN_PATIENCE):
            await daemon.peers.returned()
        for request in blocks(daemon.configuration.connections):
            await daemon.kernel.send(request)
        daemon.traps.begin()
        with trio.move_on_after(_TRAP_PATIENCE):
            await daemon.traps.settled.wait()
        backend = daemon.choice.backend
        nursery.start_soon(sweep, backend, were_kept, daemon.hub, daemon.stopping)
        daemon.reconciler.begin.set()
        daemon.peers.start_configured()
        ready()
        await daemon.stopping.wait()
        await _take_down(daemon)
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def _take_down(daemon: Parts) -> None:
    """Delete every IKE SA, and let the kernel actor do what that asks of it; or leave it all."""
    if daemon.leaves:
        daemon.hub.publish(Report("daemon-stopped", "what is established is left as it is"))
        return
    await daemon.peers.stop(daemon.configuration.daemon.stop_timeout)
    with trio.move_on_after(_REMOVAL_PATIENCE):
        # An answer means that all commands before it are done.
        await usage_of(daemon.kernel, ())
    if daemon.writers.followers is not None:
        with trio.move_on_after(_SCRIPTS_PATIENCE):
            await daemon.writers.followers.told()
    daemon.hub.publish(Report("daemon-stopped", "everything is taken down"))


def _description(daemon: Parts) -> str:
    ports = "{}/{}".format(*daemon.sockets.local_ports())
    return (
        f"ikeactors {__version__}, process {os.getpid()}: "
        f"{len(daemon.configuration.connections)} connections, UDP ports {ports}, "
        f"data plane {daemon.choice.backend.name} ({daemon.choice.reason})"
    )
