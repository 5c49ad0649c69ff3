"""An association's life: negotiations one after the other, crashes between them.

A crash costs one negotiation, which starts again after a back-off; its tunnels stay in the kernel
until its successor is established. With a store an established one goes on from its checkpoint
instead; what is kept of one that soon crashes again is set aside. One that keeps crashing is
parked: it costs a task and a mailbox until an operator brings it up again. Children with
start_action "start" are kept up: when a negotiation has failed or its IKE SA is lost, the next one
starts.

A restarting association gets a new mailbox. It would otherwise take the kernel's late answers to
its predecessor for its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial

import trio

from ikeactors.actors.kernel import ForgetOwner, KernelRequest
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.peer import Outlets, Peer, run_peer
from ikeactors.actors.peer_ports import Association, Associations, Kept
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.restarting import (
    Locator,
    Unreachable,
    children_of,
    children_to_restore,
    children_to_trap,
    union,
)
from ikeactors.actors.revivals import Revivals
from ikeactors.actors.supervisor import (
    BackOff,
    Crashed,
    Ended,
    Intensity,
    attempt,
    crash_report,
    restarts_within,
)
from ikeactors.kernel.compression import with_compression
from ikeactors.protocol.actions import AdoptChildSa, Level, Report
from ikeactors.protocol.events import InitiationRequested, Restored
from ikeactors.protocol.settings import ConnectionSettings, Settings

# More than five crashes in a minute, and nobody is helped by a sixth attempt.
INTENSITY = Intensity(restarts=5, period=60.0)
CRASH_BACK_OFF = BackOff(first=0.5, limit=10.0)
# Between failed negotiations: a peer that reboots is found soon, one that is gone costs little.
RETRY_BACK_OFF = BackOff(first=1.0, limit=60.0)


class Lives:
    """What an association needs to begin, and again after it has ended."""

    def __init__(
        self,
        settings: Settings,
        associations: Associations,
        locator: Locator,
        outlets: Outlets,
        registry: PeerRegistry,
        chance: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._associations = associations
        self._locator = locator
        self._outlets = outlets
        self._registry = registry
        self._chance = chance
        self._owners = itertools.count(1)
        self._revivals = Revivals(outlets.durability)

    def take_back(self, peer: Peer, kept: Kept) -> None:
        """Give a peer its association of before the restart. Raises `Unrestorable`."""
        self._put_back(peer, kept, self._restored(kept))

    def _restored(self, kept: Kept) -> Association:
        return self._associations.restored(kept.checkpoint, trio.current_time(), kept.elapsed)

    def _put_back(self, peer: Peer, kept: Kept, association: Association) -> None:
        peer.association, checkpoint = association, kept.checkpoint
        peer.kept, peer.initiates, peer.children = kept.number, kept.initiates, kept.children
        peer.local, peer.remote = checkpoint.local, checkpoint.remote
        peer.owner = next(self._owners)
        peer.mailbox.post_assured(Restored())

    async def clear_away(self, kept: Kept) -> None:
        """Remove the SAs of an association that does not come back: adopted by nobody, forgotten.

        Its policies stay: which they were is not known, and to block is better than to leak.
        """
        owner, nobody = next(self._owners), Mailbox()
        for child in kept.checkpoint.children:
            for sa in (*with_compression(child.inbound), *with_compression(child.outbound)):
                adopt = KernelRequest(owner, AdoptChildSa(0, (sa,)), nobody)
                await self._outlets.kernel.send(adopt)
        await self._outlets.kernel.send(ForgetOwner(owner))

    async def live(self, peer: Peer) -> None:
        """An association's life, crashes and new beginnings included."""
        while peer.association is not None or await self._prepare(peer):
            end = await attempt(self._open, peer)
            if peer.association is not None and isinstance(end, Ended):
                # Awaited right here: each frame below is there for as long as the association is.
                end = await attempt(run_peer, peer, peer.association, self._outlets)
            if isinstance(end, Crashed):
                pause = await self._after_crash(peer, end)
            else:
                pause = await self._after_end(peer, end)
            if pause is None:
                break
            with trio.move_on_after(pause):
                await peer.mailbox.filled()
        await self._bury(peer)

    async def _open(self, peer: Peer) -> str:
        """Make the association, unless one is there; why there is none, or nothing."""
        assert not peer.midway, "the step before was interrupted"
        if peer.association is not None:
            return ""
        peer.owner = next(self._owners)
        if not peer.initiates:
            assert peer.local is not None
            assert peer.remote is not None
            peer.association = self._associations.responding(peer.local, peer.remote)
            return ""
        connection = self._settings.connection(peer.connection)
        assert connection is not None
        try:
            ends = await self._locator.ends(connection, peer.remote, peer.sequences)
        except Unreachable as fault:
            peer.mailbox.drain()
            return str(fault)
        local, peer.remote = ends
        peer.association = self._associations.initiating(connection, local, peer.remote)
        return ""

    async def _prepare(self, peer: Peer) -> bool:
        """Before a negotiation begins: what it is to bring up; False when it is called off."""
        if not peer.initiates:
            return True
        waiting = peer.mailbox.drain()
        if self._registry.stopping or peer.dismissed:
            self._was_renewing(peer, "it was called off")
            return False
        # What else was asked of it while it was at rest has nothing to be done on.
        self._registry.refuse_requests(peer, "there is no IKE SA", initiations=False)
        asked = [event for event in waiting if isinstance(event, InitiationRequested)]
        renewal = self._registry.succession.find(peer.number)
        if renewal is not None:
            for event in (renewal.event, *(one for one in asked if one is not renewal.event)):
                peer.mailbox.post_assured(event)
            return True
        if not asked and await self._is_left_to_another(peer):
            return False
        if peer.parked:
            peer.parked, peer.crashes = False, ()
        pending = [
            event
            for event in self._registry.census.requests_to(peer)
            if isinstance(event, InitiationRequested)
        ]
        named = [name for event in pending for name in event.children]
        left = tuple(name for name in peer.children if name not in named)
        if left or not pending:
            trigger = next((event.trigger for event in asked if event.trigger), None)
            childless = peer.childless and not left
            pending.insert(0, InitiationRequested(left, trigger=trigger, childless=childless))
        for event in pending:
            peer.mailbox.post_assured(event)
        return True

    async def _is_left_to_another(self, peer: Peer) -> bool:
        """Whether another association of the connection does the work: the peer itself may have
        come back meanwhile. What is missing there is asked of that one."""
        other = self._replacement(peer)
        if other is None:
            return False
        await _ask_missing(other, peer.children)
        return True

    def _replacement(self, peer: Peer) -> Peer | None:
        if peer.superseded_by:
            return self._registry.census.find(peer.superseded_by)
        return next(filter(partial(_replaces, peer), self._others(peer)), None)

    async def _entrust(self, peer: Peer, was_established: bool) -> None:
        """Who has taken its place has its children to bring up, and answers its operators."""
        other, connection = self._replacement(peer), self._settings.connection(peer.connection)
        if other is None or other.connection != peer.connection or connection is None:
            return
        await _ask_missing(
            other, children_to_restore(connection, peer.children, "", was_established)
        )
        for event in self._registry.census.requests_to(peer):
            if isinstance(event, InitiationRequested):
                self._registry.census.note_request(other, event)
                other.mailbox.post_assured(event)

    def _others(self, peer: Peer) -> tuple[Peer, ...]:
        of_connection = self._registry.census.of_connection(peer.connection)
        return tuple(other for other in of_connection if other is not peer)

    async def _after_crash(self, peer: Peer, crash: Crashed) -> float | None:
        """How long to wait before the negotiation starts again; None: it does not."""
        self._registry.crash_count += 1
        self._publish(crash_report(f"peer {peer.number}", crash, peer.connection), peer)
        now = trio.current_time()
        peer.crashes = (*restarts_within(peer.crashes, now, INTENSITY.period), now)
        # What is restored is kept before it stands.
        was_established = peer.established or bool(peer.kept)
        peer.children = union(peer.children, await _children_up(peer))
        if was_established and await self._goes_on(peer, crash):
            return 0.0
        self._retire(peer)
        peer.former_owners = (*peer.former_owners, peer.owner)
        if self._was_renewing(peer, "the new association crashed"):
            return None
        if self._registry.stopping or peer.dismissed:
            return None
        if not peer.connection or not (peer.initiates or was_established):
            return None
        peer.initiates = True
        if len(peer.crashes) > INTENSITY.restarts:
            return self._park(peer)
        self._registry.refuse_requests(peer, "the association crashed", initiations=False)
        return CRASH_BACK_OFF.delay(len(peer.crashes), self._chance())

    async def _goes_on(self, peer: Peer, crash: Crashed) -> bool:
        """Whether an association that stood, and has crashed, goes on from its checkpoint."""
        # Nobody may look at it any more, not even who writes checkpoints.
        peer.association = None
        if self._registry.succession.find(peer.number) is not None:
            return False
        if self._revivals.is_poisoned(peer):
            self._set_aside(peer, crash)
            return False
        end = await attempt(self._go_on, peer)
        if isinstance(end, Crashed):
            self._set_aside(peer, end)
            return False
        return end.result

    async def _go_on(self, peer: Peer) -> bool:
        kept = await self._revivals.recall(peer)
        if kept is None or self._registry.stopping or peer.dismissed:
            return False
        association = self._restored(kept)
        self._registry.refuse_requests(peer, "the association crashed")
        # Until here its SPIs are known: to a peer that is told otherwise the IKE SA is over.
        self._detach(peer)
        peer.former_owners = (*peer.former_owners, peer.owner)
        self._put_back(peer, kept, association)
        return True

    def _set_aside(self, peer: Peer, crash: Crashed) -> None:
        why = f"{crash.kind}: {crash.text}"
        text = (
            f"association {peer.number} cannot go on from its checkpoint, which is set aside;"
            f" all is negotiated anew: {why}"
        )
        self._publish(Report("checkpoint-set-aside", text, Level.ERROR, peer.connection), peer)
        self._revivals.set_aside(peer, f"{why}\n{crash.traceback}")

    def _was_renewing(self, peer: Peer, failure: str) -> bool:
        """Whether the association in whose place it was to come goes on, and is told."""
        pause = partial(_retry_delay, self._chance())
        return self._registry.renewal_failed(peer, failure, pause)

    def _park(self, peer: Peer) -> float:
        peer.parked = True
        text = (
            f"association {peer.number} crashed {len(peer.crashes)} times within"
            f" {INTENSITY.period:g} s and is parked until it is brought up by hand"
        )
        self._registry.note_failure(peer, text)
        self._registry.refuse_requests(peer, text)
        self._publish(Report("association-parked", text, Level.ERROR, peer.connection), peer)
        return math.inf

    async def _after_end(self, peer: Peer, end: Ended[str]) -> float | None:
        """How long to wait before the next negotiation; None: there is none."""
        failure, was_established = end.result, peer.established
        await self._outlets.kernel.send(ForgetOwner(peer.owner))
        if self._outlets.followers is not None:
            self._outlets.followers.ended(peer.number)
        if failure:
            self._registry.note_failure(peer, failure)
        asked_again = self._retire(peer)
        if self._was_renewing(peer, failure or "the new IKE SA was closed"):
            return None
        if self._registry.stopping:
            return None
        if asked_again:
            peer.initiates = True
            return 0.0
        is_overtaken = not (failure or was_established or peer.dismissed)
        if peer.superseded_by or (is_overtaken and peer.initiates):
            await self._entrust(peer, was_established)
        self._registry.refuse_requests(peer, failure or "the association ended")
        if peer.dismissed or not (peer.initiates or was_established):
            return None
        connection = self._settings.connection(peer.connection)
        if connection is None:
            return None
        if was_established:
            trapped = children_to_trap(connection, peer.children, failure)
            self._registry.trap(peer.connection, trapped)
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

    def _retire(self, peer: Peer) -> bool:
        """Undo what the association had here; whether it is asked to begin again."""
        self._registry.release(peer)
        if self._outlets.durability is not None:
            self._outlets.durability.forget(peer)
        return self._detach(peer)

    def _detach(self, peer: Peer) -> bool:
        self._outlets.alarms.cancel(peer.number)
        for spi in peer.spis:
            self._outlets.router.forget(spi)
        self._registry.expect_no_more(peer)
        peer.spis = ()
        peer.association = None
        peer.midway = False
        peer.established = False
        left = peer.mailbox.close()
        peer.mailbox = Mailbox()
        return any(isinstance(event, InitiationRequested) for event in left)

    async def _bury(self, peer: Peer) -> None:
        """The association is no more."""
        self._registry.census.remove(peer)
        self._revivals.forget(peer)
        self._outlets.router.budgets.left(peer.number)
        self._registry.refuse_requests(peer, "the association ended")
        peer.mailbox.close()
        await self._registry.forget_former(peer)

    def _publish(self, report: Report, peer: Peer) -> None:
        self._outlets.hub.publish(report, peer.number)


def _retry_delay(chance: float, count: int) -> float:
    return RETRY_BACK_OFF.delay(count, chance)


def _replaces(peer: Peer, other: Peer) -> bool:
    """Whether `other` brings up, or has up, what `peer` is about to bring up."""
    if other.dismissed or other.parked:
        return False
    # Who is called by a name and was not called yet may be anywhere.
    if peer.remote is not None and not other.is_at(peer.remote.address):
        return False
    return other.established or other.initiates


async def _ask_missing(peer: Peer, children: tuple[str, ...]) -> None:
    """Let an association bring up what it does not have up."""
    up = await _children_up(peer)
    missing = tuple(name for name in children if name not in up)
    peer.children = union(peer.children, missing)
    if missing and peer.association is not None:
        peer.mailbox.post_assured(InitiationRequested(missing))


async def _children_up(peer: Peer) -> tuple[str, ...]:
    """The names of its Child SAs; none when the association is past telling."""
    shown = await attempt(_look_at, peer)
    return () if isinstance(shown, Crashed) else shown.result


async def _look_at(peer: Peer) -> tuple[str, ...]:
    if peer.shown is not None:
        return children_of(peer.shown)
    if peer.association is None:
        return ()
    return children_of(peer.association.snapshot(trio.current_time()))
