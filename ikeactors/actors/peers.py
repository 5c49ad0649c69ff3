"""All associations: one actor each, one_for_one, with its own restart intensity.

A crash costs one negotiation, which starts again after a back-off; its tunnels stay in the kernel
until its successor is established. One that keeps crashing is parked: it costs a task and a
mailbox until an operator brings it up again. The same actor keeps children with start_action
"start" up: it starts the next negotiation when one has failed or is lost.

A restarting association gets a new mailbox. It would otherwise take the kernel's late answers to
its predecessor for its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import trio

from ikeactors.actors.census import Census
from ikeactors.actors.claims import Claims
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.peer import Association, Associations, Outlets, Peer, Registry, run_peer
from ikeactors.actors.reports import Answers
from ikeactors.actors.restarting import (
    Locator,
    children_of,
    children_to_restore,
    single_remote,
    started_children,
    union,
)
from ikeactors.actors.supervisor import (
    BackOff,
    Crashed,
    Ended,
    Intensity,
    attempt,
    crash_report,
    restarts_within,
)
from ikeactors.protocol.actions import AnswerRequest, ClaimIdentity, Level, Report
from ikeactors.protocol.events import (
    Address,
    DatagramReceived,
    DeletionRequested,
    Event,
    IdentityClaimed,
    InitiationRequested,
    Superseded,
)
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.snapshot import AssociationSnapshot

_TASK_NAME = "peer"
_TAKE_DOWN = DeletionRequested()

# More than five crashes in a minute, and nobody is helped by a sixth attempt.
INTENSITY = Intensity(restarts=5, period=60.0)
CRASH_BACK_OFF = BackOff(first=0.5, limit=10.0)
# Between negotiations that failed: a peer that reboots is found soon, one that is gone costs little.
RETRY_BACK_OFF = BackOff(first=1.0, limit=60.0)


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
        associations: Associations,
        locator: Locator,
        outlets_for: Callable[[Registry], Outlets],
        answers: Answers,
        chance: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._associations = associations
        self._locator = locator
        self._outlets = outlets_for(self)
        self._answers = answers
        self._chance = chance
        self._census = Census()
        self._claims = Claims()
        self._numbers = itertools.count(1)
        self._owners = itertools.count(1)
        self._nursery: trio.Nursery | None = None
        self._emptied = trio.lowlevel.ParkingLot()
        self._stopping = False
        self._failures: dict[str, str] = {}
        self._crash_count = 0
        self._failure_count = 0

    async def run(self) -> None:
        """The actor. A successor finds the associations as they were, and goes on with them."""
        async with trio.open_nursery() as nursery:
            for peer in self._census:
                nursery.start_soon(self._live, peer, name=_TASK_NAME)
            self._nursery = nursery
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def start_configured(self) -> None:
        """Bring up every connection that has children to start."""
        for connection in self._settings.connections:
            if started_children(connection):
                self.initiate(connection.name)

    def initiate(
        self, connection_name: str, children: tuple[str, ...] = (), request_id: int | None = None
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
            if peer.remote is None:
                raise ValueError(f"{connection_name!r} names no single remote address to call")
            self._add(peer)
        peer.children = union(peer.children, children or started_children(connection))
        peer.dismissed = False
        self._post(peer, InitiationRequested(children, request_id))
        return peer.number

    def respond(self, datagram: DatagramReceived) -> None:
        """Make a responder association for an IKE_SA_INIT request that admission let in."""
        if self._stopping:
            return
        peer = Peer(next(self._numbers))
        peer.initiates = False
        peer.local, peer.remote = datagram.local, datagram.remote
        peer.requested_by = (datagram.octets[:8], datagram.remote)
        self._outlets.router.expect(*peer.requested_by, peer.mailbox)
        self._census.open_half(peer, datagram.remote.address)
        peer.mailbox.post(datagram)
        self._add(peer)

    def send(self, number: int, event: Event) -> None:
        """Give an association an event; LookupError when it is gone."""
        peer = self._census.find(number)
        if peer is None:
            raise LookupError(f"there is no association {number}")
        if isinstance(event, DeletionRequested) and event.child is None and event.spi is None:
            peer.dismissed = True
        self._post(peer, event)

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

    def failures(self) -> dict[str, str]:
        """Why the last negotiation of a connection failed, where none has succeeded since."""
        return dict(self._failures)

    @property
    def half_open(self) -> int:
        """Responders whose peers have not authenticated."""
        return self._census.half_open

    def half_open_of(self, address: Address) -> int:
        """Those of one address."""
        return self._census.half_open_of(address)

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
            self._crash_count,
            self._failure_count,
        )

    async def stop(self, patience: float) -> None:
        """Take every association down; those whose peers do not answer in time are left."""
        self._stopping = True
        for peer in self._census:
            peer.dismissed = True
            peer.mailbox.post_assured(_TAKE_DOWN)
        with trio.move_on_after(patience):
            while len(self._census):
                await self._emptied.park()

    def claim(self, peer: Peer, claim: ClaimIdentity) -> None:
        """Answer an association that has authenticated its peer; send away those it replaces."""
        verdict = self._claims.claim(peer.number, claim)
        for number in verdict.superseded:
            older = self._census.find(number)
            if older is not None:
                older.dismissed = True
                older.mailbox.post_assured(Superseded(verdict.silent))
        peer.mailbox.post_assured(IdentityClaimed(claim.ticket, verdict.granted))

    def answer(self, answer: AnswerRequest) -> None:
        """Pass an answer on to the operator."""
        self._census.settle_request(answer.request_id)
        self._answers.resolve(answer)

    async def progressed(self, peer: Peer, association: Association) -> None:
        """Note what an association that is not established yet has come to."""
        if not peer.connection and association.connection_name:
            self._census.name(peer, association.connection_name)
        if not association.half_open:
            self._expect_no_more(peer)
        if not association.established:
            return
        peer.established = True
        peer.sequences = 0
        self._failures.pop(peer.connection, None)
        await self._forget_former(peer)

    async def _live(self, peer: Peer) -> None:
        """An association's life, crashes and new beginnings included."""
        while peer.association is not None or self._prepare(peer):
            end = await attempt(self._negotiate, peer)
            if isinstance(end, Crashed):
                pause = await self._after_crash(peer, end)
            else:
                pause = await self._after_end(peer, end)
            if pause is None:
                break
            with trio.move_on_after(pause):
                await peer.mailbox.filled()
        await self._bury(peer)

    async def _negotiate(self, peer: Peer) -> str:
        """Run the association, a new one if there is none; why it failed, or nothing."""
        assert not peer.midway, "the step before was interrupted"
        if peer.association is None:
            peer.owner = next(self._owners)
            peer.association = self._open(peer)
        if peer.association is None:
            return f"no route leads to {peer.remote}"
        await run_peer(peer, peer.association, self._outlets)
        return peer.association.failure

    def _open(self, peer: Peer) -> Association | None:
        assert peer.remote is not None
        if not peer.initiates:
            assert peer.local is not None
            return self._associations.responding(peer.local, peer.remote)
        connection = self._settings.connection(peer.connection)
        assert connection is not None
        peer.remote = single_remote(connection) or peer.remote
        local = self._locator.local(connection, peer.remote.address)
        if local is None:
            return None
        return self._associations.initiating(connection, local, peer.remote)

    def _prepare(self, peer: Peer) -> bool:
        """Before a negotiation begins: what it is to bring up; False when it is called off."""
        if not peer.initiates:
            return True
        waiting = peer.mailbox.drain()
        if self._stopping or peer.dismissed:
            return False
        asked = [event for event in waiting if isinstance(event, InitiationRequested)]
        if not asked and self._is_up_elsewhere(peer):
            return False
        if peer.parked:
            peer.parked, peer.crashes = False, ()
        pending = [
            event
            for event in self._census.requests_to(peer)
            if isinstance(event, InitiationRequested)
        ]
        for event in pending or [InitiationRequested(peer.children)]:
            peer.mailbox.post_assured(event)
        return True

    async def _after_crash(self, peer: Peer, crash: Crashed) -> float | None:
        """How long to wait before the negotiation starts again; None: it does not."""
        self._crash_count += 1
        self._publish(crash_report(f"peer {peer.number}", crash, peer.connection), peer)
        now = trio.current_time()
        peer.crashes = (*restarts_within(peer.crashes, now, INTENSITY.period), now)
        association, was_established = peer.association, peer.established
        self._retire(peer)
        peer.former_owners = (*peer.former_owners, peer.owner)
        if self._stopping or peer.dismissed:
            return None
        if not peer.connection or not (peer.initiates or was_established):
            return None
        peer.initiates = True
        if association is not None:
            shown = await attempt(_look_at, association)
            names = () if isinstance(shown, Crashed) else children_of(shown.result)
            peer.children = union(peer.children, names)
        if len(peer.crashes) > INTENSITY.restarts:
            return self._park(peer)
        self._refuse_requests(peer, "the association crashed", initiations=False)
        return CRASH_BACK_OFF.delay(len(peer.crashes), self._chance())

    def _park(self, peer: Peer) -> float:
        peer.parked = True
        text = (
            f"association {peer.number} crashed {len(peer.crashes)} times within"
            f" {INTENSITY.period:g} s and is parked until it is brought up by hand"
        )
        self._failures[peer.connection] = text
        self._refuse_requests(peer, text)
        self._publish(Report("association-parked", text, Level.ERROR, peer.connection), peer)
        return math.inf

    async def _after_end(self, peer: Peer, end: Ended[str]) -> float | None:
        """How long to wait before the next negotiation; None: there is none."""
        failure, was_established = end.result, peer.established
        await self._outlets.kernel.forget_owner(peer.owner)
        if failure and peer.connection:
            self._failure_count += 1
            self._failures[peer.connection] = failure
        asked_again = self._retire(peer)
        if self._stopping:
            return None
        if asked_again:
            peer.initiates = True
            return 0.0
        self._refuse_requests(peer, failure or "the association ended")
        if peer.dismissed:
            return None
        connection = self._settings.connection(peer.connection)
        if connection is None:
            return None
        children = children_to_restore(connection, peer.children, failure, was_established)
        if not children:
            return None
        peer.initiates, peer.children = True, children
        return self._retry_pause(peer, connection, was_established)

    def _retry_pause(
        self, peer: Peer, connection: ConnectionSettings, was_established: bool
    ) -> float | None:
        peer.sequences = 0 if was_established else peer.sequences + 1
        if 0 < connection.keyingtries <= peer.sequences:
            text = f"given up after {peer.sequences} attempts (keyingtries)"
            self._publish(
                Report("association-given-up", text, Level.WARNING, peer.connection), peer
            )
            return None
        return RETRY_BACK_OFF.delay(max(peer.sequences, 1), self._chance())

    def _existing(self, connection: ConnectionSettings) -> Peer | None:
        """The association that an operator means by the connection's name."""
        remote = single_remote(connection)
        peers = [
            peer
            for peer in self._census.of_connection(connection.name)
            if not peer.dismissed and (remote is None or _is_at(peer, remote.address))
        ]
        established = (peer for peer in peers if peer.established)
        return next(established, None) or (peers[0] if peers else None)

    def _is_up_elsewhere(self, peer: Peer) -> bool:
        """Whether the peer itself has come back meanwhile; what is missing is asked of that one."""
        assert peer.remote is not None
        for other in self._census.of_connection(peer.connection):
            if other is peer or not other.established or other.association is None:
                continue
            if not _is_at(other, peer.remote.address):
                continue
            shown = other.shown or other.association.snapshot(trio.current_time())
            missing = tuple(name for name in peer.children if name not in children_of(shown))
            if missing:
                other.children = union(other.children, missing)
                self._post(other, InitiationRequested(missing))
            return True
        return False

    def _retire(self, peer: Peer) -> bool:
        """Undo what the association had here; whether it is asked to begin again."""
        self._outlets.alarms.cancel(peer.number)
        for spi in peer.spis:
            self._outlets.router.forget(spi)
        self._expect_no_more(peer)
        self._claims.release(peer.number)
        peer.spis = ()
        peer.association = None
        peer.midway = False
        peer.established = False
        left = peer.mailbox.close()
        peer.mailbox = Mailbox()
        return any(isinstance(event, InitiationRequested) for event in left)

    async def _bury(self, peer: Peer) -> None:
        """The association is no more."""
        self._census.remove(peer)
        self._refuse_requests(peer, "the association ended")
        peer.mailbox.close()
        if not len(self._census):
            self._emptied.unpark_all()
        await self._forget_former(peer)

    async def _forget_former(self, peer: Peer) -> None:
        owners, peer.former_owners = peer.former_owners, ()
        for owner in owners:
            await self._outlets.kernel.forget_owner(owner)

    def _expect_no_more(self, peer: Peer) -> None:
        self._census.close_half(peer)
        if peer.requested_by is not None:
            self._outlets.router.expect_no_more(*peer.requested_by)
            peer.requested_by = None

    def _refuse_requests(self, peer: Peer, text: str, *, initiations: bool = True) -> None:
        """Answer what the association will not answer any more: it is down, as a Delete asked."""
        for event in self._census.requests_to(peer):
            if isinstance(event, InitiationRequested) and not initiations:
                continue
            assert event.request_id is not None
            is_down = isinstance(event, DeletionRequested)
            self.answer(AnswerRequest(event.request_id, is_down, text))

    def _add(self, peer: Peer) -> None:
        self._census.add(peer)
        if self._nursery is not None:
            self._nursery.start_soon(self._live, peer, name=_TASK_NAME)

    def _post(self, peer: Peer, event: Event) -> None:
        self._census.note_request(peer, event)
        peer.mailbox.post_assured(event)

    def _publish(self, report: Report, peer: Peer) -> None:
        self._outlets.hub.publish(report, peer.number)


def _is_at(peer: Peer, address: Address) -> bool:
    return peer.remote is not None and peer.remote.address == address


async def _look_at(association: Association) -> AssociationSnapshot:
    return association.snapshot(trio.current_time())
