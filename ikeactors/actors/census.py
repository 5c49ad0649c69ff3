"""Who is there: associations by number and by connection, half-open ones by address, and the
operators' requests that wait for one of them."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from ikeactors.actors.budgets import Origin, origin_of
from ikeactors.actors.peer import Peer
from ikeactors.protocol.events import (
    Address,
    DeletionRequested,
    Event,
    InitiationRequested,
    RekeyRequested,
)

Request = InitiationRequested | RekeyRequested | DeletionRequested


class Census:
    """All peers. Who waits for one to go is parked in `removed`."""

    def __init__(self) -> None:
        self._by_number: dict[int, Peer] = {}
        self._by_connection: dict[str, dict[int, Peer]] = {}
        self._half_open: dict[Origin, int] = {}
        self._half_open_count = 0
        self._requests: dict[int, tuple[int, Request]] = {}
        self.removed = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._by_number.values()))

    def add(self, peer: Peer) -> None:
        """Count a peer in."""
        self._by_number[peer.number] = peer
        if peer.connection:
            self._by_connection.setdefault(peer.connection, {})[peer.number] = peer

    def remove(self, peer: Peer) -> None:
        """Count a peer out."""
        self.close_half(peer)
        self._by_number.pop(peer.number, None)
        of_connection = self._by_connection.get(peer.connection, {})
        of_connection.pop(peer.number, None)
        if not of_connection:
            self._by_connection.pop(peer.connection, None)
        self.removed.unpark_all()

    def name(self, peer: Peer, connection: str) -> None:
        """A responder has learned which connection it is of."""
        peer.connection = connection
        self._by_connection.setdefault(connection, {})[peer.number] = peer

    def find(self, number: int) -> Peer | None:
        """The peer of this number."""
        return self._by_number.get(number)

    def of_connection(self, connection: str) -> tuple[Peer, ...]:
        """The peers of a connection, the oldest first."""
        return tuple(self._by_connection.get(connection, {}).values())

    def is_up(self, connection: str, place: Address | None = None) -> bool:
        """Whether an association of a connection is established, with a peer at `place`."""
        return any(
            peer.established and not peer.dismissed and (place is None or peer.is_at(place))
            for peer in self.of_connection(connection)
        )

    def open_half(self, peer: Peer, address: Address) -> None:
        """A responder waits for a peer at this address to authenticate."""
        peer.half_open_at = address
        origin = origin_of(address)
        self._half_open[origin] = self._half_open.get(origin, 0) + 1
        self._half_open_count += 1

    def close_half(self, peer: Peer) -> None:
        """It does not wait any more."""
        if peer.half_open_at is None:
            return
        origin = origin_of(peer.half_open_at)
        self._half_open[origin] -= 1
        if not self._half_open[origin]:
            del self._half_open[origin]
        self._half_open_count -= 1
        peer.half_open_at = None

    @property
    def half_open(self) -> int:
        """How many responders wait for their peers to authenticate."""
        return self._half_open_count

    def half_open_of(self, address: Address) -> int:
        """How many of them wait for this address, or its network in IPv6."""
        return self._half_open.get(origin_of(address), 0)

    def note_request(self, peer: Peer, event: Event) -> None:
        """Remember an operator's request until it is answered."""
        if isinstance(event, Request) and event.request_id is not None:
            self._requests[event.request_id] = (peer.number, event)

    def settle_request(self, request_id: int) -> None:
        """It is answered."""
        self._requests.pop(request_id, None)

    def requests_to(self, peer: Peer) -> list[Request]:
        """What operators asked of this peer and is not answered. They are few in all."""
        return [event for number, event in self._requests.values() if number == peer.number]
