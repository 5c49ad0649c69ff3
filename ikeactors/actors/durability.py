"""What of an association's step must be durable, and before what of it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ikeactors.protocol import actions
from ikeactors.protocol.events import ChildSaInstalled, Event

if TYPE_CHECKING:
    from ikeactors.actors.peer import Peer
    from ikeactors.actors.peer_ports import Association, Kept


class Durability(Protocol):
    """What makes associations outlive the process."""

    def mark(self, peer: Peer) -> None: ...
    def forget(self, peer: Peer) -> None: ...
    def set_aside(self, peer: Peer, why: str) -> None: ...
    async def durable(self) -> None: ...
    async def recall(self, peer: Peer) -> Kept | None: ...


async def make_durable(
    peer: Peer,
    association: Association,
    event: Event,
    asked: Sequence[actions.Action],
    durability: Durability,
) -> None:
    """What is sent, and by what keys, must be what a successor of ours knows of."""
    kinds = {type(action) for action in asked}
    if association.closed and peer.kept:
        # A successor that went on with it would answer again, with other octets.
        durability.forget(peer)
        if actions.SendDatagram in kinds:
            await durability.durable()
    if not association.established:
        return
    is_relied_on = actions.SendDatagram in kinds or any(map(_is_kept_first, asked))
    if is_relied_on or isinstance(event, ChildSaInstalled) or not kinds.isdisjoint(_CHANGES):
        durability.mark(peer)
    if is_relied_on:
        await durability.durable()


def _is_kept_first(action: actions.Action) -> bool:
    return isinstance(action, actions.InstallChildSa) and action.kept_first


# What says that an association is not what it was. A Child SA that the peer has asked for, and has
# no answer about, is not in a checkpoint.
_CHANGES = frozenset(
    {
        actions.RegisterSpi,
        actions.ForgetSpi,
        actions.RemoveChildSa,
        actions.MoveChildSa,
    }
)
