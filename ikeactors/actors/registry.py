"""What all associations share among themselves: who is there, who stands for whom, what operators
asked, what failed last. It outlives every actor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import trio

from ikeactors.actors.census import Census
from ikeactors.actors.claims import Claims
from ikeactors.actors.kernel import Command, ForgetOwner
from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Association
from ikeactors.actors.reports import Answers
from ikeactors.actors.returns import Returns
from ikeactors.actors.router import Router
from ikeactors.actors.succession import Succession
from ikeactors.protocol.actions import (
    AnswerRequest,
    BeginAgain,
    ClaimIdentity,
    HandOver,
    Reauthenticate,
    SetTraps,
)
from ikeactors.protocol.events import (
    DeletionRequested,
    IdentityClaimed,
    InitiationRequested,
    OlderEnded,
    ReauthenticationFailed,
    RenewalGivenUp,
    Renewed,
    Superseded,
)
from ikeactors.protocol.ikev2.overlap import RENEWED_WITHIN
from ikeactors.protocol.settings import Address, Unique
from ikeactors.protocol.snapshot import ChildSnapshot

Tidings = Renewed | RenewalGivenUp | OlderEnded | Superseded

# A new association for one that is reauthenticated.
Succeed = Callable[[Peer, Reauthenticate], None]
# Children of a connection that the next packet is to bring up.
Trap = Callable[[str, Sequence[str]], None]


def _no_traps(connection: str, children: Sequence[str]) -> None:
    """Where no packet brings anything up."""


class PeerRegistry:
    """The tables of the associations, and what is done at each of their turns."""

    def __init__(
        self, router: Router, kernel: trio.MemorySendChannel[Command], answers: Answers
    ) -> None:
        self._router = router
        self._kernel = kernel
        self._answers = answers
        self.census = Census()
        self.claims = Claims()
        self.succession = Succession()
        self.returning = Returns()
        self.succeed: Succeed | None = None
        self.trap: Trap = _no_traps
        self.failures: dict[str, str] = {}
        self.crash_count = 0
        self.failure_count = 0
        self.stopping = False

    def claim(self, peer: Peer, claim: ClaimIdentity) -> None:
        """Answer an association that has authenticated its peer; send away those it replaces."""
        is_renewed = partial(self._is_renewed, peer, claim)
        renewal = self.succession.find(peer.number)
        before = renewal.predecessor if renewal else 0
        is_open = self.succession.is_open
        verdict = self.claims.claim(peer.number, claim, is_renewed, is_open, before)
        for number in (*verdict.superseded, *verdict.yielding):
            silent = verdict.silent and number in verdict.superseded
            self._dismiss(number, Superseded(silent), verdict.survivor or peer.number)
        if not claim.initiated:
            self._call_off_successors(verdict.superseded, peer.number)
        if verdict.renewed and not claim.initiated:
            self._note_renewal(peer, claim, verdict.renewed)
        if verdict.renewed:
            for number in verdict.yielded:
                self._tell(number, Renewed(ends=True, is_lost=True))
        beside = tuple(one for number in verdict.renewed for one in self._children_of(number))
        peer.mailbox.post_assured(IdentityClaimed(claim.ticket, verdict.granted, beside))

    def moved(self, peer: Peer, place: Address) -> None:
        """Its other end is elsewhere now."""
        self.claims.move(peer.number, place)

    def _note_renewal(self, peer: Peer, claim: ClaimIdentity, older: tuple[int, ...]) -> None:
        """The peer reauthenticates, and deletes the old ones in a while."""
        self._call_off_successors(older, peer.number)
        self.succession.note(peer.number, older)
        ends = claim.unique in (Unique.REPLACE, Unique.KEEP)
        for number in older:
            if ends:
                self._dismiss(number, Renewed(ends), peer.number)
            else:
                self._tell(number, Renewed(ends))

    def _call_off_successors(self, older: tuple[int, ...], survivor: int) -> None:
        for number in older:
            self._call_off(self.succession.successor(number), survivor)

    def _call_off(self, number: int, survivor: int) -> None:
        """Ours for the same does not begin, or not go on before it has told who we are: the peer
        would not see that both have crossed."""
        ours = self.census.find(number)
        if ours is not None and ours.spis:
            self._tell(number, Superseded(silent=False, unproven=True))
        elif ours is not None:
            self._dismiss(number, Superseded(silent=False), survivor)

    def _is_renewed(self, peer: Peer, claim: ClaimIdentity, older: int) -> bool:
        """Whether a new association reauthenticates an older one: ours says so, and the peer's
        comes from where the older one has its peer. What stood before a restart waits for no
        answer, and renews nobody."""
        if not claim.ticket:
            return False
        if claim.initiated:
            renewal = self.succession.find(peer.number)
            return renewal is not None and renewal.predecessor == older
        other = self.census.find(older)
        if other is None or peer.remote is None:
            return False
        return other.is_at(peer.remote.address)

    def _children_of(self, number: int) -> tuple[ChildSnapshot, ...]:
        peer = self.census.find(number)
        if peer is None or peer.association is None:
            return ()
        shown = peer.shown or peer.association.snapshot(trio.current_time())
        return shown.children

    def _dismiss(self, number: int, event: Superseded | Renewed, survivor: int) -> None:
        peer = self.census.find(number)
        if peer is not None:
            peer.dismissed = True
            peer.superseded_by = survivor
            peer.mailbox.post_assured(event)

    def _tell(self, number: int, event: Tidings) -> None:
        peer = self.census.find(number)
        if peer is not None:
            peer.mailbox.post_assured(event)

    # Reauthentication.

    def reauthenticate(self, peer: Peer, action: Reauthenticate) -> None:
        """Begin the association that is to take the place of this one."""
        assert self.succeed is not None
        is_under_way = self.succession.is_under_way(peer.number)
        if not (self.stopping or peer.dismissed or is_under_way):
            self.succeed(peer, action)
        elif action.request_id is not None:
            text = "the IKE SA is being reauthenticated, or taken down, already"
            self.answer(AnswerRequest(action.request_id, is_under_way, text))
        elif is_under_way:
            text = "the peer reauthenticates it"
            peer.mailbox.post_assured(ReauthenticationFailed(text, RENEWED_WITHIN))

    def begin_again(self, peer: Peer, action: BeginAgain) -> None:
        """This association is over, and is to begin anew."""
        if self.stopping or peer.dismissed:
            return
        # What an operator has taken down meanwhile stays down.
        peer.children, peer.childless = action.children, not action.children
        event = InitiationRequested(
            action.children, action.request_id, childless=not action.children
        )
        self.census.note_request(peer, event)
        peer.mailbox.post_assured(event)

    def set_traps(self, peer: Peer, action: SetTraps) -> None:
        """The peer has closed some of its children: the next packet brings them up."""
        if not (self.stopping or peer.dismissed):
            self.trap(peer.connection, action.children)

    def hand_over(self, peer: Peer, action: HandOver) -> None:
        """It stands with all its Child SAs: the one in whose place it comes may go."""
        renewal = self.succession.complete(peer.number)
        older = self._before(peer, action) if renewal is None else (renewal.predecessor,)
        for number in older:
            self._dismiss(number, Superseded(silent=False, gently=True), peer.number)

    def _before(self, peer: Peer, action: HandOver) -> tuple[int, ...]:
        """After a restart: those that have Child SAs for the same, made before."""
        return tuple(
            other.number
            for other in self.census.of_connection(peer.connection)
            if other.number < peer.number
            and any(one.reqid in action.reqids for one in self._children_of(other.number))
        )

    def renewal_failed(self, peer: Peer, text: str, pause: Callable[[int], float]) -> bool:
        """It was to take the place of another and is gone: whether that one goes on."""
        older = self.succession.predecessors(peer.number)
        renewal = self.succession.end(peer.number)
        if renewal is None:
            self._renewal_given_up(peer, older)
        old = None if renewal is None else self.census.find(renewal.predecessor)
        if renewal is None or old is None or old.dismissed or not old.established:
            return False
        if self.succession.is_under_way(old.number):
            text = "the peer has reauthenticated it at the same time"
            old.mailbox.post_assured(ReauthenticationFailed(text, RENEWED_WITHIN))
            return True
        old.sequences += 1
        again = None if renewal.event.request_id is not None else pause(old.sequences)
        old.mailbox.post_assured(ReauthenticationFailed(text, again))
        return True

    def _renewal_given_up(self, peer: Peer, older: frozenset[int]) -> None:
        """It is gone and so was to come in the place of others: those that are left go on."""
        for one in filter(None, map(self.census.find, sorted(older))):
            if one.superseded_by == peer.number and not self.stopping:
                one.dismissed, one.superseded_by = False, 0
            self._tell(one.number, RenewalGivenUp())

    def release(self, peer: Peer) -> None:
        """It stands no more; whom it made way for has the peer for itself, if nobody else does."""
        self.returning.arrived(peer.number)
        left, successor = self.claims.release(peer.number), self.succession.successor(peer.number)
        if successor in self.claims and successor not in left:
            left = (*left, successor)
        for number in left:
            others = {*self.succession.predecessors(number), self.succession.successor(number)}
            others |= {one for one in left if self.claims.have_crossed(number, one)}
            if others.isdisjoint(left):
                self._tell(number, OlderEnded())

    def answer(self, answer: AnswerRequest) -> None:
        """Pass an answer on to the operator."""
        self.census.settle_request(answer.request_id)
        self._answers.resolve(answer)

    async def progressed(self, peer: Peer, association: Association) -> None:
        """Note what an association that is not established yet has come to."""
        if not peer.connection and association.connection_name:
            self.census.name(peer, association.connection_name)
        if not association.half_open:
            self.expect_no_more(peer)
        if not association.established:
            return
        peer.established = True
        self.returning.arrived(peer.number)
        peer.sequences = 0
        self.failures.pop(peer.connection, None)
        await self.forget_former(peer)

    def expect_no_more(self, peer: Peer) -> None:
        """A responder is past its IKE_SA_INIT request, or gone."""
        self.census.close_half(peer)
        if peer.requested_by is not None:
            self._router.expect_no_more(*peer.requested_by)
            peer.requested_by = None

    def refuse_requests(self, peer: Peer, text: str, *, initiations: bool = True) -> None:
        """Answer what the association will not answer any more: it is down, as a Delete asked."""
        for event in self.census.requests_to(peer):
            if isinstance(event, InitiationRequested) and not initiations:
                continue
            assert event.request_id is not None
            is_down = isinstance(event, DeletionRequested)
            self.answer(AnswerRequest(event.request_id, is_down, text))

    async def forget_former(self, peer: Peer) -> None:
        """What crashed predecessors have in the kernel is needed no more."""
        owners, peer.former_owners = peer.former_owners, ()
        for owner in owners:
            await self._kernel.send(ForgetOwner(owner))

    def note_failure(self, peer: Peer, failure: str) -> None:
        """A negotiation failed; told until one of the connection succeeds."""
        self.failure_count += 1
        if peer.connection:
            self.failures[peer.connection] = failure
