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

from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.errors import AuthenticationFailed, NoProposalChosen, ProtocolFault
from ikeactors.iana import ExchangeType, IdType, NotifyType
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.ikev2 import (
    auth_announcing,
    childless,
    crash_detection,
    mobike,
    names,
    pairs,
    reauthentication,
    rounds,
    signing,
)
from ikeactors.protocol.ikev2.auth_answering import Answering, refusal
from ikeactors.protocol.ikev2.authentication import Covered, identity_of
from ikeactors.protocol.ikev2.candidates import choose_by_identity, of_method
from ikeactors.protocol.ikev2.child_negotiation import Nonces, Offer, build
from ikeactors.protocol.ikev2.create_child_sa import CreateChildInitiator
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.explaining import refused_auth, refused_child
from ikeactors.protocol.ikev2.hash_and_url import Answered, Asked, is_looked_up
from ikeactors.protocol.ikev2.ike_sa import IkeSa, error_of
from ikeactors.protocol.ikev2.informational import FATAL, tell_failure
from ikeactors.protocol.ikev2.installing import InstallOffered, install
from ikeactors.protocol.ikev2.matching import fitness
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.protocol.ikev2.ppk import Ppk, agreed, choose, doubt, named, settle
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.public_keys import request_for
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.rounds import Rounds
from ikeactors.protocol.ikev2.standing import ClaimedByInitiator, claim, establish
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.window_size import announced, announcement
from ikeactors.protocol.settings import ChildSettings, Unique
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import find, only
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
        "_covered",
        "_local",
        "_offer",
        "_ppk",
        "_request",
        "_rounds",
        "_signed",
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
        self._child = next(iter(wanted), None)
        self._request = request
        self._local = identity_of(association.connection.local, association.local.address)
        self._offer: Offer | None = None
        self._rounds: Rounds | None = None
        self._ppk: Ppk | None = None
        self._covered: Covered | None = None
        self._signed: Payloads | None = None
        self.solution: Payloads = ()

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """What proves who we are; the first time with all that else is in IKE_AUTH."""
        if self._signed is not None:
            signed, self._signed = self._signed, None
            return signed
        try:
            payloads = self._next(association, ike_sa)
        except (AuthenticationFailed, NoProposalChosen) as fault:
            association.fail(str(fault))
            return None
        assert self._rounds is not None
        if self._rounds.unsigned:
            signing.sign(association, self._rounds, payloads, self)
            return None
        return payloads

    def _next(self, association: Association, ike_sa: IkeSa) -> Payloads:
        if self._rounds is None:
            return self._first(association, ike_sa)
        assert self._covered is not None
        return self._rounds.tell(association, self._covered)

    def signed(self, association: Association, payloads: Payloads) -> None:
        """Our token has signed: now the request may leave, and is retransmitted."""
        association.timers.stop(Timer.HALF_OPEN)
        self._signed = payloads
        association.ike_sa.ask_first(association, self)

    def not_signed(self, association: Association, reason: str) -> None:
        """Our token has not: the peer has heard nothing of us yet."""
        association.fail(reason)

    def _first(self, association: Association, ike_sa: IkeSa) -> Payloads:
        """[PS,] IDi, [IDr,] AUTH and, unless childless, the first child's SA and selectors."""
        connection = association.connection
        expected = connection.remote.id.identity
        remote = expected or identity_of(connection.remote, association.remote.address)
        begins = childless.begins_childless(connection, self._transcript, self._child)
        self._rounds = Rounds(connection, self._local, remote)
        told = rounds.answered(connection, self._transcript)
        certificates, authentication, ppk_told = self._prove(association, ike_sa, self._rounds)
        payloads: list[Payload] = [*self.solution, IdentificationInitiator(self._local)]
        payloads += (*certificates, *request_for(association, (connection,)))
        # A GeneralName is not generated (RFC 4945 section 3.1.6).
        if expected is not None and expected.type is not IdType.DER_ASN1_GN:
            payloads.append(IdentificationResponder(expected))
        payloads += auth_announcing.answer(connection, self._transcript)
        payloads += (authentication, *told, *self._rounds.follows, *ppk_told)
        if _announces_initial_contact(association, self._local, remote):
            payloads.append(Notify(NotifyType.INITIAL_CONTACT))
        payloads += announcement(association)
        payloads += crash_detection.token_for(association, ike_sa.spis)
        if self._child is not None and not begins:
            self._offer = Offer.make(
                association, self._child, in_auth=True, trigger=self._request.trigger
            )
            payloads += self._offer.payloads()
        payloads += mobike.offered(association)
        return tuple(payloads)

    def _prove(
        self, association: Association, ike_sa: IkeSa, progress: Rounds
    ) -> tuple[Payloads, Authentication, Payloads]:
        """Our first proof, and what is told of the post-quantum key that is in it."""
        covered = self._covered = Covered.by(ike_sa, self._transcript)
        ppk = self._ppk = agreed(association, self._transcript)
        if ppk is None:
            return *progress.prove(association, covered), ()
        without: Authentication | None = None
        if not association.connection.ppk_required:
            # For the same round: what it has left unsigned is all that stays of it.
            beside = replace(progress)
            without = beside.prove(association, covered)[1]
            progress.unsigned = beside.unsigned
        proof = progress.prove(association, covered.mixed(ppk.secret))
        return *proof, named(ppk, without)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer's proof: if it is right, and the last one, the IKE SA stands."""
        progress, ours = self._rounds, (association.connection,)
        assert progress is not None
        if is_looked_up(association, ours, Answered(self, ike_sa, opened, payloads)):
            return
        error = error_of(payloads)
        is_over = error is not None and error.type in FATAL
        if find(payloads, Authentication) is None and (is_over or progress.awaits):
            kind = error.type if error else None
            said = auth_announcing.explained(self._transcript)
            association.fail(refused_auth(association, kind, progress.local) + said)
            return
        window_size = announced(payloads)
        # What makes no sense in it is noticed before anything changes.
        reauthentication.announced_lifetime(payloads)
        try:
            proof = self._check(association, ike_sa, progress, opened, payloads)
        except AuthenticationFailed as fault:
            tell_failure(association, ike_sa, fault, f"{fault}{doubt(self._ppk)}")
            return

        # Authenticated: from here on we may change.
        then = ProvenToInitiator(self, ike_sa, window_size, payloads)
        names.check(association, progress.demand, progress.remote, proof, then)

    def _check(
        self,
        association: Association,
        ike_sa: IkeSa,
        progress: Rounds,
        opened: Opened,
        payloads: Payloads,
    ) -> PeerProof | None:
        """The peer's proof, where it has another one to give. Raises AuthenticationFailed."""
        if not progress.awaits:
            progress.check_silence(payloads)
            return None
        remote = only(payloads, IdentificationResponder).identity
        assert self._covered is not None
        covered, is_first = self._covered, not progress.checked
        if is_first:
            covered = settle(association, self._ppk, covered, payloads)
        proof = progress.check(association, covered, remote, opened, payloads)
        self._covered = covered
        # The keys of everything that is to come.
        ike_sa.keys = covered.keys
        return proof

    def stand(
        self,
        association: Association,
        ike_sa: IkeSa,
        window_size: int,
        payloads: Payloads,
    ) -> None:
        """The peer's proof holds: so does the IKE SA, unless there is more to prove."""
        assert isinstance(association.phase, Authenticating)
        assert self._rounds is not None
        if self._rounds.owes or self._rounds.awaits:
            ike_sa.ask_first(association, self)
            return
        wanted = association.phase.wanted
        remote, proof = self._rounds.first_remote, self._rounds.proof
        ike_sa.requests.widen(window_size)
        crash_detection.keep(association, ike_sa, payloads)
        establish(association, ike_sa, self._local, remote, proof)
        reauthentication.obey(association, reauthentication.announced_lifetime(payloads))
        mobike.agree(association, payloads, decides=True)
        claim(association, self._local, remote, False, ClaimedByInitiator(), self._transcript)
        if self._offer is not None:
            self._install(association, ike_sa, payloads, self._offer)
            wanted = wanted[1:]
        for settings in wanted:
            association.children.create(settings, self._request)
        self._request.ike_sa_stands(association)

    def _install(
        self, association: Association, ike_sa: IkeSa, payloads: Payloads, offer: Offer
    ) -> None:
        error = error_of(payloads)
        if error is not None or find(payloads, SecurityAssociation) is None:
            kind = error.type if error else None
            if kind is NotifyType.SINGLE_PAIR_REQUIRED:
                pair = pairs.less(association, offer, None)
                if pair is not None:
                    again = CreateChildInitiator(offer.settings, self._request, pair=pair)
                    ike_sa.ask(association, again)
                    return
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
    window_size: int
    payloads: Payloads

    def believed(self, association: Association) -> None:
        """Go on."""
        self.exchange.stand(association, self.ike_sa, self.window_size, self.payloads)

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
    assert isinstance(association.phase, Authenticating)
    transcript, connections = association.authenticating
    if is_looked_up(association, connections, Asked(ike_sa, opened, payloads)):
        return None
    if association.phase.answering is not None:
        return association.phase.answering.respond(association, opened, payloads)
    remote = only(payloads, IdentificationInitiator).identity
    wanted = find(payloads, IdentificationResponder)
    # What makes no sense in it is noticed before anything changes.
    announced(payloads)
    ppk: Ppk | None = None
    try:
        connection = choose_by_identity(
            of_method(connections, only(payloads, Authentication).method),
            remote,
            wanted.identity if wanted else None,
            association.local.address,
            lambda one: fitness(association, payloads, one.children),
        )
        rounds.check_support(connection, payloads)
        local = identity_of(connection.local, association.local.address)
        progress = Rounds(connection, local, remote)
        mixing = choose(association, connection, transcript, remote, payloads)
        covered, ppk = mixing.use(Covered.by(ike_sa, transcript)), mixing.ppk
        proof = progress.check(association, covered, remote, opened, mixing.payloads)
        proven = progress.tell(association, covered, payloads)
    except AuthenticationFailed as fault:
        return refusal(association, f"{fault}{doubt(ppk)}")

    childless.check_absence(connection, payloads)
    if connection.mobike and mobike.is_prohibited(payloads, association.local, association.remote):
        reason = "the peer bears no NAT, and its IKE_AUTH has passed one (NO_NATS_ALLOWED)"
        return Answer((Notify(NotifyType.UNEXPECTED_NAT_DETECTED),), close=reason)

    # Authenticated: from here on we may change.
    association.connection = connection
    ike_sa.keys = covered.keys
    ends = local, remote
    told = (*proven, *mixing.told)
    answering = Answering(ike_sa, transcript, ends, payloads, progress, covered, told)
    names.check(association, progress.demand, progress.remote, proof, answering)
    return None
