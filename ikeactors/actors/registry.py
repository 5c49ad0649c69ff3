"""What all associations share among themselves: who is there, who stands for whom, what operators
asked, what failed last. It outlives every actor."""

from __future__ import annotations

import trio

from ikeactors.actors.census import Census
from ikeactors.actors.claims import Claims
from ikeactors.actors.kernel import Command, ForgetOwner
from ikeactors.actors.peer import Association, Peer
from ikeactors.actors.reports import Answers
from ikeactors.actors.router import Router
from ikeactors.protocol.actions import AnswerRequest, ClaimIdentity
from ikeactors.protocol.events import (
    DeletionRequested,
    IdentityClaimed,
    InitiationRequested,
    Superseded,
)


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
        self.failures: dict[str, str] = {}
        self.crash_count = 0
        self.failure_count = 0
        self.stopping = False

    def claim(self, peer: Peer, claim: ClaimIdentity) -> None:
        """Answer an association that has authenticated its peer; send away those it replaces."""
        verdict = self.claims.claim(peer.number, claim)
        for number in (*verdict.superseded, *verdict.yielding):
            losing = self.census.find(number)
            if losing is not None:
                losing.dismissed = True
                losing.superseded_by = verdict.survivor or peer.number
                silent = verdict.silent and number in verdict.superseded
                losing.mailbox.post_assured(Superseded(silent))
        peer.mailbox.post_assured(IdentityClaimed(claim.ticket, verdict.granted))

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
