"""What a daemon finds of the one before it, and what it leaves to the next."""

from __future__ import annotations

from ikeactors.actors.keeper import Keeper
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.peers import Peers
from ikeactors.actors.supervisor import Crashed, attempt
from ikeactors.config import Configuration
from ikeactors.protocol.ikev2.stored import Unrestorable


async def take_back(keeper: Keeper | None, peers: Peers) -> None:
    """Go on with the associations that are kept; one that cannot keeps no other from it."""
    if keeper is None:
        return
    keeper.everybody = peers.everybody
    for kept in await keeper.open():
        end = await attempt(_take_back, keeper, peers, kept)
        if isinstance(end, Crashed):
            keeper.drop(kept.number, f"{end.kind}: {end.text}", end.traceback)
            await attempt(peers.clear_away, kept)


async def _take_back(keeper: Keeper, peers: Peers, kept: Kept) -> None:
    try:
        peers.take_back(kept)
    except Unrestorable as fault:
        keeper.drop(kept.number, str(fault))
        await peers.clear_away(kept)


def keeps(configuration: Configuration) -> bool:
    """Whether what is established is left to the next daemon when this one stops."""
    return configuration.daemon.stop_action == "keep" and configuration.daemon.store != "none"
