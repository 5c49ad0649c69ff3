"""IKE_AUTH, both roles (RFC 7296 section 1.2).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SK {IDi, [IDr,] AUTH,
        SAi2, TSi, TSr}  -->
                                 <--  HDR, SK {IDr, AUTH,
                                          SAr2, TSi, TSr}

The IKE SA is established when AUTH is right, even where the first Child SA fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import AuthenticationFailed, NoProposalChosen, ProtocolFault
from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.actions import Level, SuspectAddress
from ikeactors.protocol.credentials import OwnProof, PeerProof
from ikeactors.protocol.events import IdentityClaimed, Reply
from ikeactors.protocol.ikev2 import (
    childless,
    crash_detection,
    mobike,
    reauthentication,
    revocation,
)
from ikeactors.protocol.ikev2.authentication import (
    Covered,
    identity_of,
    prove,
    verify,
)
from ikeactors.protocol.ikev2.candidates import choose_by_identity, of_method
from ikeactors.protocol.ikev2.child_negotiation import Nonces, Offer, build, demanded
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.explaining import refused_auth, refused_child
from ikeactors.protocol.ikev2.ike_sa import IkeSa, error_of
from ikeactors.protocol.ikev2.informational import tell_failure
from ikeactors.protocol.ikev2.installing import InstallOffered, install
from ikeactors.protocol.ikev2.matching import fitness
from ikeactors.protocol.ikev2.overlap import Overlap
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.public_keys import request_for
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.standing import ClaimedByInitiator, claim, establish
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.window_size import announced, announcement
from ikeactors.protocol.settings import ChildSettings, Unique
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import find, notifies, only
from ikeactors.wire.payload import (
    Authentication,
    IdentificationInitiator,
    IdentificationResponder,
    Notify,
    Payload,
    SecurityAssociation,
)

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


class AuthInitiator:
    """The initiator's side: we have proven who we are and wait for the peer to do the same."""

    exchange = ExchangeType.IKE_AUTH
    children = None

    __slots__ = (
        "_child",
        "_local",
        "_offer",
        "_request",
        "_transcript",
        "solution",
    )

    def __init__(
        self,
        association: Association,
        transcript: Transcript,
        wanted: tuple[ChildSettings, ...],
        request: Request,
    ) -> None:
        self._transcript = transcript
        self._child = wanted[0]
        self._request = request
        self._local = identity_of(association.connection.local, association.local.address)
        self._offer: Offer | None = None
        self.solution: Payloads = ()

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """[PS,] IDi, [IDr,] AUTH and, unless childless, the first child's SA and selectors."""
        connection = association.connection
        expected = connection.remote.id.identity
        remote = expected or identity_of(connection.remote, association.remote.address)
        try:
            begins = childless.begins_childless(connection, self._transcript)
            covered = Covered.by(ike_sa, self._transcript)
            proof = prove(association, connection, connection.local, covered, self._local, remote)
        except (AuthenticationFailed, NoProposalChosen) as fault:
            association.fail(str(fault))
            return None
        payloads: list[Payload] = [*self.solution, IdentificationInitiator(self._local)]
        payloads += (*proof.certificates, *request_for(association, (connection,)))
        if expected is not None:
            payloads.append(IdentificationResponder(expected))
        payloads.append(proof.authentication)
        if _announces_initial_contact(association, self._local, remote):
            payloads.append(Notify(NotifyType.INITIAL_CONTACT))
        payloads += announcement(association)
        payloads += crash_detection.token_for(association, ike_sa.spis)
        if not begins:
            self._offer = Offer.make(
                association, self._child, in_auth=True, trigger=self._request.trigger
            )
            payloads += self._offer.payloads()
        payloads += mobike.offered(association)
        return tuple(payloads)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer's proof: if it is right the IKE SA stands."""
        if find(payloads, Authentication) is None:
            error = error_of(payloads)
            kind = error.type if error else None
            association.fail(refused_auth(association, kind, self._local))
            return
        remote = only(payloads, IdentificationResponder).identity
        window_size = announced(payloads)
        # What makes no sense in it is noticed before anything changes.
        reauthentication.announced_lifetime(payloads)
        try:
            if not association.connection.remote.id.quality(remote):
                raise AuthenticationFailed(
                    f"the peer says it is {remote}, connection {association.connection.name} "
                    f"expects {association.connection.remote.id.identity}"
                )
            proof = verify(
                association,
                association.connection.remote,
                Covered.by(ike_sa, self._transcript),
                self._local,
                remote,
                opened,
                payloads,
            )
        except AuthenticationFailed as fault:
            tell_failure(association, ike_sa, fault, str(fault))
            return

        # Authenticated: from here on we may change.
        ike_sa.requests.widen(window_size)
        crash_detection.keep(association, ike_sa, payloads)
        then = ProvenToInitiator(self, ike_sa, remote, proof, payloads)
        revocation.check(association, proof, then)

    def stand(
        self,
        association: Association,
        ike_sa: IkeSa,
        remote: Identity,
        proof: PeerProof | None,
        payloads: Payloads,
    ) -> None:
        """The peer's proof holds: so does the IKE SA."""
        assert isinstance(association.phase, Authenticating)
        wanted = association.phase.wanted
        establish(association, ike_sa, self._local, remote, proof)
        reauthentication.obey(association, reauthentication.announced_lifetime(payloads))
        mobike.agree(association, payloads, decides=True)
        claim(association, self._local, remote, False, ClaimedByInitiator(), self._transcript)
        if self._offer is not None:
            self._install(association, ike_sa, payloads, self._offer)
            wanted = wanted[1:]
        for settings in wanted:
            association.children.create(settings, self._request)

    def _install(
        self, association: Association, ike_sa: IkeSa, payloads: Payloads, offer: Offer
    ) -> None:
        error = error_of(payloads)
        if error is not None or find(payloads, SecurityAssociation) is None:
            kind = error.type if error else None
            reason = refused_child(association, kind, str(offer))
            association.children.failed(offer.settings, reason, self._request)
            return
        try:
            agreement = offer.accepted(association, payloads)
        except ProtocolFault as fault:
            association.children.failed(offer.settings, str(fault), self._request)
            association.children.disown(offer.protocol, offer.spi_in)
            return
        nonces = Nonces(self._transcript.nonce_i, self._transcript.nonce_r)
        child = build(
            association,
            ike_sa,
            offer.settings,
            agreement,
            nonces,
            offer.reqid,
            exchange_initiator=True,
        )
        install(association, child, InstallOffered(child, self._request))

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone; the association has said so."""


@quick
class ProvenToInitiator:
    """What the initiator does when it is known whether the peer's certificates hold."""

    exchange: AuthInitiator
    ike_sa: IkeSa
    remote: Identity
    proof: PeerProof | None
    payloads: Payloads

    def believed(self, association: Association) -> None:
        """Go on."""
        self.exchange.stand(association, self.ike_sa, self.remote, self.proof, self.payloads)

    def refused(self, association: Association, reason: str) -> None:
        """Tell the peer, which believes that the IKE SA stands."""
        tell_failure(association, self.ike_sa, AuthenticationFailed(reason), reason)


def _announces_initial_contact(association: Association, local: Identity, remote: Identity) -> bool:
    """Whether IKE_AUTH says that we know of no other IKE SA (RFC 7296 section 2.4).

    Asked as late as can be: the peer may have brought one up meanwhile.
    """
    connection = association.connection
    if not connection.send_initial_contact or connection.uniqueness is Unique.NEVER:
        return False
    return not association.surroundings.stands(local, remote)


def respond(
    association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
) -> Answer | None:
    """Check the peer's proof; the answer waits until its claim on the identity is granted."""
    transcript, connections = association.authenticating
    remote = only(payloads, IdentificationInitiator).identity
    wanted = find(payloads, IdentificationResponder)
    window_size = announced(payloads)
    try:
        connection = choose_by_identity(
            of_method(connections, only(payloads, Authentication).method),
            remote,
            wanted.identity if wanted else None,
            association.local.address,
            lambda one: fitness(association, payloads, one.children),
        )
        local = identity_of(connection.local, association.local.address)
        covered = Covered.by(ike_sa, transcript)
        peer = verify(association, connection.remote, covered, local, remote, opened, payloads)
        proof = prove(association, connection, connection.local, covered, local, remote, payloads)
    except AuthenticationFailed as fault:
        return _refusal(association, str(fault))

    childless.check_absence(connection, payloads)
    if connection.mobike and mobike.is_prohibited(payloads, association.local, association.remote):
        reason = "the peer bears no NAT, and its IKE_AUTH has passed one (NO_NATS_ALLOWED)"
        return Answer((Notify(NotifyType.UNEXPECTED_NAT_DETECTED),), close=reason)

    # Authenticated: from here on we may change.
    association.connection = connection
    ike_sa.requests.widen(window_size)
    crash_detection.keep(association, ike_sa, payloads)
    initial_contact = bool(notifies(payloads, NotifyType.INITIAL_CONTACT))
    then = ClaimedByResponder(ike_sa, local, remote, proof, peer, payloads, transcript)
    revocation.check(association, peer, ProvenToResponder(then, initial_contact))
    return None


def _refusal(association: Association, reason: str) -> Answer:
    association.report(
        "authentication-failed",
        f"IKE_AUTH of {association.remote} refused: {reason}",
        Level.WARNING,
    )
    association.emit(SuspectAddress(association.remote.address))
    return Answer((Notify(NotifyType.AUTHENTICATION_FAILED),), close=reason)


@quick
class ProvenToResponder:
    """What the responder does when it is known whether the peer's certificates hold."""

    then: ClaimedByResponder
    initial_contact: bool

    def believed(self, association: Association) -> None:
        """Ask whether the IKE SA may stand."""
        then = self.then
        first = self.initial_contact
        claim(association, then.local, then.remote, first, then, then.transcript)

    def refused(self, association: Association, reason: str) -> None:
        """Answer that it does not."""
        self.then.ike_sa.answer(association, _refusal(association, reason))


@quick
class ClaimedByResponder:
    """The responder's answer, once its claim on the identities is answered."""

    ike_sa: IkeSa
    local: Identity
    remote: Identity
    proof: OwnProof
    peer: PeerProof | None
    payloads: Payloads
    transcript: Transcript

    def resumed(self, association: Association, event: Reply) -> None:
        """IDr and AUTH with the Child SA, or with the error it came to."""
        assert isinstance(event, IdentityClaimed)
        if not event.granted:
            reason = "an older IKE SA between the same identities is kept (unique = keep)"
            refusal = (Notify(NotifyType.AUTHENTICATION_FAILED),)
            self.ike_sa.answer(association, Answer(refusal, close=reason))
            return
        if event.beside:
            association.overlap = Overlap(event.beside)
        establish(association, self.ike_sa, self.local, self.remote, self.peer)
        self.ike_sa.answer(association, self._answer(association))

    def _answer(self, association: Association) -> Answer:
        proven: Payloads = (
            IdentificationResponder(self.local),
            *self.proof.certificates,
            self.proof.authentication,
            *announcement(association),
            *crash_detection.token_for(association, self.ike_sa.spis),
            *mobike.answered(association, self.payloads),
            *reauthentication.lifetime_of(association),
        )
        if find(self.payloads, SecurityAssociation) is None:
            return Answer(proven)
        try:
            childless.check_presence(association.connection)
            demand = demanded(association, self.payloads, in_auth=True)
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
        refusal: Payloads = (*proven, Notify(NotifyType.NO_PROPOSAL_CHOSEN))
        return Answer(
            (*proven, *demand.payloads()),
            install=child,
            otherwise=refusal,
            inbound_only=association.overlap is not None,
        )
