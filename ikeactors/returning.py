"""What a daemon finds of the one before it, and what it leaves to the next."""

from __future__ import annotations

import trio

from ikeactors.actors.backends import Backend
from ikeactors.actors.keeper import Keeper
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.peers import Peers
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.supervisor import Crashed, attempt
from ikeactors.actors.userspace import UserspaceBackend
from ikeactors.actors.xfrm_routes import RoutedBackend
from ikeactors.config import Configuration
from ikeactors.kernel.requests import KernelRefusal
from ikeactors.protocol.actions import Report
from ikeactors.protocol.ikev2.stored import Unrestorable

# Ours: ten thousand associations adopt their SAs in less. What nobody adopts stays that long.
_SWEEP_AFTER = 60.0


async def take_back(keeper: Keeper | None, peers: Peers) -> int:
    """Go on with the associations that are kept; one that cannot keeps no other from it.

    How many there were.
    """
    if keeper is None:
        return 0
    keeper.everybody = peers.everybody
    every = await keeper.open()
    for kept in every:
        end = await attempt(_take_back, keeper, peers, kept)
        if isinstance(end, Crashed):
            keeper.drop(kept.number, f"{end.kind}: {end.text}", end.traceback)
            await attempt(peers.clear_away, kept)
    return len(every)


async def sweep(backend: Backend, were_kept: int, hub: ReportHub, stopping: trio.Event) -> None:
    """Take away a predecessor's routes that nobody needs, once it is known which these are."""
    if not isinstance(backend, RoutedBackend | UserspaceBackend):
        return
    if were_kept:
        with trio.move_on_after(_SWEEP_AFTER):
            await stopping.wait()
            return
    try:
        await backend.sweep()
    except KernelRefusal as refusal:
        hub.publish(Report("routes-left", f"routes of a former daemon stay: {refusal}"))


async def _take_back(keeper: Keeper, peers: Peers, kept: Kept) -> None:
    try:
        peers.take_back(kept)
    except Unrestorable as fault:
        keeper.drop(kept.number, str(fault))
        await peers.clear_away(kept)


def keeps(configuration: Configuration) -> bool:
    """Whether what is established is left to the next daemon when this one stops."""
    return configuration.daemon.stop_action == "keep" and configuration.daemon.store != "none"
