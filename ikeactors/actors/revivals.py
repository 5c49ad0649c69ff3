"""Associations that crash go on from what is kept of them, but not again and again.

A checkpoint whose association crashes soon after it went on is set aside with the crash.
"""

from __future__ import annotations

import math

import trio

from ikeactors.actors.durability import Durability
from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Kept

# Seconds. A peer sends a request that is not answered again within that time, and what crashes at
# one timer has met it.
PROBATION = 60.0


class Revivals:
    """Who went on from a checkpoint of late."""

    def __init__(self, durability: Durability | None) -> None:
        self._durability = durability
        self._revived_at: dict[int, float] = {}

    def is_poisoned(self, peer: Peer) -> bool:
        """Whether it went on from its checkpoint only just now."""
        return trio.current_time() - self._revived_at.get(peer.number, -math.inf) < PROBATION

    async def recall(self, peer: Peer) -> Kept | None:
        """What it may go on with; None where nothing is kept. Raises `Unrestorable`."""
        if self._durability is None:
            return None
        kept = await self._durability.recall(peer)
        if kept is not None:
            self._revived_at[peer.number] = trio.current_time()
        return kept

    def set_aside(self, peer: Peer, why: str) -> None:
        """What is kept of it must not be gone on with."""
        self.forget(peer)
        if self._durability is not None:
            self._durability.set_aside(peer, why)

    def forget(self, peer: Peer) -> None:
        """The association is no more."""
        self._revived_at.pop(peer.number, None)
