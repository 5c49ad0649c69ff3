"""The responder of IKE_AUTH, once the peer's proof is right: whether its certificates hold, what
else each end has to prove, whether the IKE SA may stand beside others, and the answer at last.

    names.check  ------->  believed  -->  claim  -->  resumed  -->  IDr, AUTH, SAr2, TSi, TSr
                              |
                              `--> IDr, AUTH; the next request  -->  respond  -->  believed ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.errors import AuthenticationFailed, ProtocolFault
from ikeactors.iana import NotifyType
from ikeactors.protocol.actions import Level, SuspectAddress
from ikeactors.protocol.events import IdentityClaimed, Reply
from ikeactors.protocol.ikev2 import (
    childless,
    crash_detection,
    mobike,
    names,
    reauthentication,
    signing,
)
from ikeactors.protocol.ikev2.authentication import Covered
from ikeactors.protocol.ikev2.child_negotiation import Nonces, build, demanded
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.overlap import Overlap
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.rounds import Rounds
from ikeactors.protocol.ikev2.standing import claim, establish
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.window_size import announced, announcement
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import find, notifies, only
from ikeactors.wire.payload import IdentificationInitiator, Notify, SecurityAssociation

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


@dataclass(slots=True)
class Answering:
    """What the answer takes. `request` is the first one, which has all but further proofs; `proven`
    is our proof that the next answer has."""

    ike_sa: IkeSa
    transcript: Transcript
    ends: tuple[Identity, Identity]
    request: Payloads
    progress: Rounds
    covered: Covered
    proven: Payloads

    # Whether the peer's certificates hold.

    def believed(self, association: Association) -> None:
        """Ask for the next proof, or whether the IKE SA may stand; first for what we prove.

        A token of ours works for nobody who has not proven who it is.
        """
        if self.progress.unsigned:
            signing.sign(association, self.progress, self.proven, self)
            return
        if self.progress.owes or self.progress.awaits:
            assert isinstance(association.phase, Authenticating)
            association.phase.answering = self
            self.ike_sa.answer(association, Answer(self.proven))
            return
        first = bool(notifies(self.request, NotifyType.INITIAL_CONTACT))
        claim(association, *self.ends, first, self, self.transcript)

    def refused(self, association: Association, reason: str) -> None:
        """Answer that they do not."""
        self.ike_sa.answer(association, refusal(association, reason))

    # What we prove.

    def signed(self, association: Association, payloads: Payloads) -> None:
        """Our token has signed."""
        self.proven = payloads
        self.believed(association)

    def not_signed(self, association: Association, reason: str) -> None:
        """Our token has not, which is no fault of the peer's."""
        text = f"IKE_AUTH of {association.remote} cannot be answered: {reason}"
        association.report("authentication-failed", text, Level.ERROR)
        failed = (Notify(NotifyType.AUTHENTICATION_FAILED),)
        self.ike_sa.answer(association, Answer(failed, close=reason))

    # Further proofs.

    def respond(
        self, association: Association, opened: Opened, payloads: Payloads
    ) -> Answer | None:
        """Another request: the peer's next proof, or its wait for ours."""
        progress, proof = self.progress, None
        try:
            if progress.awaits:
                remote = only(payloads, IdentificationInitiator).identity
                proof = progress.check(association, self.covered, remote, opened, payloads)
            else:
                progress.check_silence(payloads)
            proven = progress.tell(association, self.covered, payloads)
        except AuthenticationFailed as fault:
            return refusal(association, str(fault))

        # Authenticated: from here on we may change.
        self.proven = proven
        names.check(association, progress.demand, progress.remote, proof, self)
        return None

    # Whether it may stand.

    def resumed(self, association: Association, event: Reply) -> None:
        """IDr and AUTH with the Child SA, or with the error it came to."""
        assert isinstance(event, IdentityClaimed)
        if not event.granted:
            reason = "an older IKE SA between the same identities is kept (unique = keep)"
            refused = (Notify(NotifyType.AUTHENTICATION_FAILED),)
            self.ike_sa.answer(association, Answer(refused, close=reason))
            return
        if event.beside:
            association.overlap = Overlap(event.beside)
        self.ike_sa.requests.widen(announced(self.request))
        crash_detection.keep(association, self.ike_sa, self.request)
        establish(association, self.ike_sa, *self.ends, self.progress.proof)
        self.ike_sa.answer(association, self._answer(association))

    def _answer(self, association: Association) -> Answer:
        proven: Payloads = (
            *self.proven,
            *announcement(association),
            *crash_detection.token_for(association, self.ike_sa.spis),
            *mobike.answered(association, self.request),
            *reauthentication.lifetime_of(association),
        )
        if find(self.request, SecurityAssociation) is None:
            return Answer(proven)
        try:
            childless.check_presence(association.connection)
            demand = demanded(association, self.request, in_auth=True)
        except ProtocolFault as fault:
            association.report("child-sa-refused", f"Child SA refused: {fault}", Level.WARNING)
            return Answer((*proven, Notify(fault.notify, fault.data)))
        nonces = Nonces(self.transcript.nonce_i, self.transcript.nonce_r)
        child = build(
            association,
            self.ike_sa,
            demand.settings,
            demand.agreement,
            nonces,
            demand.reqid,
            exchange_initiator=False,
        )
        otherwise: Payloads = (*proven, Notify(NotifyType.NO_PROPOSAL_CHOSEN))
        return Answer(
            (*proven, *demand.payloads()),
            install=child,
            otherwise=otherwise,
            inbound_only=association.overlap is not None,
        )


def refusal(association: Association, reason: str) -> Answer:
    """The answer to a peer that has not proven itself."""
    association.report(
        "authentication-failed",
        f"IKE_AUTH of {association.remote} refused: {reason}",
        Level.WARNING,
    )
    association.emit(SuspectAddress(association.remote.address))
    return Answer((Notify(NotifyType.AUTHENTICATION_FAILED),), close=reason)
