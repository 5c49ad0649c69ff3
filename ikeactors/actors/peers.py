"""All associations: one actor each, one_for_one, every one with its own restart intensity.

Here is what the router and operators ask of them; how one lives, and again after a crash, is in
`lives`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import trio

from ikeactors.actors.lives import Lives
from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.restarting import is_named, single_remote, started_children, union
from ikeactors.actors.router import Router
from ikeactors.actors.succession import Renewal
from ikeactors.protocol.actions import Reauthenticate
from ikeactors.protocol.events import (
    Address,
    DatagramReceived,
    DeletionRequested,
    Endpoint,
    Event,
    InitiationRequested,
    LocalAddressesChanged,
    Trigger,
)
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.snapshot import AssociationSnapshot, ChildSnapshot

_TASK_NAME = "peer"
_LOOK = LocalAddressesChanged()
# Associations told of something, or asked, before others get their turn: a millisecond of theirs.
_TOLD_IN_A_TURN = 64
_TAKE_DOWN = DeletionRequested()


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """How many associations there are and how they fare."""

    associations: int
    established: int
    half_open: int
    resting: int
    parked: int
    crashes: int
    failures: int


class Peers:
    """The registry of associations, and the supervisor of their actors."""

    def __init__(
        self,
        settings: Settings,
        lives: Lives,
        registry: PeerRegistry,
        router: Router,
    ) -> None:
        self._settings = settings
        self._lives = lives
        self._registry = registry
        self._census = registry.census
        self._router = router
        self._numbers = itertools.count(1)
        self._nursery: trio.Nursery | None = None
        registry.succeed = self._succeed

    async def run(self) -> None:
        """The actor. A successor finds the associations as they were, and goes on with them."""
        async with trio.open_nursery() as nursery:
            for peer in self._census:
                nursery.start_soon(self._lives.live, peer, name=_TASK_NAME)
            self._nursery = nursery
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def take_back(self, kept: Kept) -> None:
        """Go on with an association of before the restart. Raises `Unrestorable`."""
        peer = Peer(next(self._numbers), kept.checkpoint.connection)
        self._lives.take_back(peer, kept)
        self._registry.returning.expect(peer.number)
        self._add(peer)

    async def returned(self) -> None:
        """Wait until all that were taken back have asked the data plane for their SAs."""
        await self._registry.returning.all_there()

    async def clear_away(self, kept: Kept) -> None:
        """Of an association that cannot go on nothing stays in the data plane."""
        await self._lives.clear_away(kept)

    def everybody(self) -> list[Peer]:
        """All associations that are established."""
        return [peer for peer in self._census if peer.established]

    def start_configured(self) -> None:
        """Bring up every connection that has children to start."""
        for connection in self._settings.connections:
            if started_children(connection):
                self.initiate(connection.name)

    def initiate(
        self,
        connection_name: str,
        children: tuple[str, ...] = (),
        request_id: int | None = None,
        trigger: Trigger | None = None,
    ) -> int:
        """Bring up children; the association's number.

        LookupError: no such connection or child. ValueError: it names no single remote address.
        """
        connection = self._settings.connection(connection_name)
        if connection is None:
            raise LookupError(f"there is no connection {connection_name!r}")
        for child in children:
            if connection.child(child) is None:
                raise LookupError(f"the connection {connection_name!r} has no child {child!r}")
        peer = self._existing(connection)
        if peer is None:
            peer = Peer(next(self._numbers), connection_name)
            peer.remote = single_remote(connection)
            if peer.remote is None and not is_named(connection):
                raise ValueError(f"{connection_name!r} names no single remote address to call")
            self._add(peer)
        peer.children = union(peer.children, children or started_children(connection))
        peer.dismissed = False
        self._post(peer, InitiationRequested(children, request_id, trigger=trigger))
        return peer.number

    def acquire(self, connection: str, child: str, trigger: Trigger) -> None:
        """A packet needs a child: bring it up, unless it is being brought up already."""
        if not self._registry.stopping:
            self.initiate(connection, (child,), trigger=trigger)

    def respond(self, datagram: DatagramReceived) -> None:
        """Make a responder association for an IKE_SA_INIT request that admission let in."""
        if self._registry.stopping:
            return
        peer = Peer(next(self._numbers))
        peer.initiates = False
        peer.local, peer.remote = datagram.local, datagram.remote
        peer.requested_by = (datagram.octets[:8], datagram.remote)
        self._router.expect(*peer.requested_by, peer.mailbox)
        self._census.open_half(peer, datagram.remote.address)
        self._router.budgets.joined(peer.number, datagram.remote.address)
        peer.mailbox.post(datagram)
        self._add(peer)

    def send(self, number: int, event: Event) -> None:
        """Give an association an event; LookupError when it is gone."""
        peer = self._census.find(number)
        if peer is None:
            raise LookupError(f"there is no association {number}")
        if isinstance(event, DeletionRequested) and event.child is None and event.spi is None:
            # Nobody else is to bring up what it has, nor is it itself.
            peer.dismissed, peer.superseded_by = True, 0
        self._post(peer, event)

    async def look_around(self, have_changed: bool) -> None:
        """This host's routes have changed, or its addresses: then who rests tries again at once."""
        for number, peer in enumerate(self._census):
            if peer.established or (have_changed and peer.association is None and not peer.parked):
                peer.mailbox.post(_LOOK)
            if number % _TOLD_IN_A_TURN == _TOLD_IN_A_TURN - 1:
                await trio.lowlevel.checkpoint()

    def numbers_of(self, connection: str) -> list[int]:
        """The associations of a connection, the oldest first."""
        return [peer.number for peer in self._census.of_connection(connection)]

    def snapshots(self, now: float) -> list[tuple[int, AssociationSnapshot]]:
        """All associations as they are."""
        return [
            (peer.number, peer.shown or peer.association.snapshot(now))
            for peer in self._census
            if peer.association is not None
        ]

    async def children(self) -> list[ChildSnapshot]:
        """The Child SAs of all associations; others have their turn meanwhile."""
        found: list[ChildSnapshot] = []
        now = trio.current_time()
        for number, peer in enumerate(tuple(self._census)):
            if peer.association is not None:
                found += (peer.shown or peer.association.snapshot(now)).children
            if number % _TOLD_IN_A_TURN == _TOLD_IN_A_TURN - 1:
                await trio.lowlevel.checkpoint()
        return found

    def failures(self) -> dict[str, str]:
        """Why the last negotiation of a connection failed, where none has succeeded since."""
        return dict(self._registry.failures)

    @property
    def half_open(self) -> int:
        """Responders whose peers have not authenticated."""
        return self._census.half_open

    def half_open_of(self, address: Address) -> int:
        """Those of one address."""
        return self._census.half_open_of(address)

    def admits(self, address: Address) -> bool:
        """Whether there is room for one more responder, for a peer at this address."""
        return self._router.budgets.admits(address, len(self._census))

    def is_suspect(self, address: Address, now: float) -> bool:
        """Whether a peer at this address has failed to prove itself too often."""
        return self._router.budgets.suspects.has(address, now)

    def statistics(self) -> PeerStatistics:
        """What the admin socket shows."""
        peers = tuple(self._census)
        parked = sum(peer.parked for peer in peers)
        return PeerStatistics(
            len(peers),
            sum(peer.established for peer in peers),
            self._census.half_open,
            sum(peer.association is None for peer in peers) - parked,
            parked,
            self._registry.crash_count,
            self._registry.failure_count,
        )

    async def stop(self, patience: float) -> None:
        """Take every association down; those whose peers do not answer in time are left."""
        self._registry.stopping = True
        for peer in self._census:
            peer.dismissed = True
            peer.mailbox.post_assured(_TAKE_DOWN)
        with trio.move_on_after(patience):
            while len(self._census):
                await self._census.removed.park()

    def _succeed(self, old: Peer, action: Reauthenticate) -> None:
        """Begin the association that is to take the place of `old`."""
        connection = self._settings.connection(old.connection)
        assert connection is not None
        assert old.remote is not None
        names = tuple(dict.fromkeys(child.name for child in action.children))
        event = InitiationRequested(names, action.request_id, action.children)
        peer = Peer(next(self._numbers), old.connection)
        peer.remote = Endpoint(old.remote.address, connection.remote_port)
        peer.children = union(old.children, names)
        self._registry.succession.begin(peer.number, Renewal(old.number, event))
        self._census.note_request(peer, event)
        self._add(peer)

    def _existing(self, connection: ConnectionSettings) -> Peer | None:
        """The association that an operator means by the connection's name."""
        remote = single_remote(connection)
        peers = [
            peer
            for peer in self._census.of_connection(connection.name)
            if not peer.dismissed and (remote is None or peer.is_at(remote.address))
        ]
        established = (peer for peer in peers if peer.established)
        return next(established, None) or (peers[0] if peers else None)

    def _add(self, peer: Peer) -> None:
        self._census.add(peer)
        if self._nursery is not None:
            self._nursery.start_soon(self._lives.live, peer, name=_TASK_NAME)

    def _post(self, peer: Peer, event: Event) -> None:
        self._census.note_request(peer, event)
        peer.mailbox.post_assured(event)
