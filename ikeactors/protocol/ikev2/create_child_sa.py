"""CREATE_CHILD_SA, both roles: a further Child SA, or the successor of one (RFC 7296 section 1.3).

Initiator                         Responder
-------------------------------------------------------------------
HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,]
    TSi, TSr}  -->
                             <--  HDR, SK {SA, Nr, [KEr,]
                                      TSi, TSr}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.key_exchange import PrivateKey
from ikeactors.errors import (
    ChildSaNotFound,
    InvalidKeyExchange,
    InvalidSyntax,
    NoAdditionalSas,
    ProtocolFault,
    TemporaryFailure,
)
from ikeactors.iana import ExchangeType, KeyExchangeMethod, NotifyType, ProtocolId
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2 import joining, pairs, rekey_ike_sa
from ikeactors.protocol.ikev2.child_negotiation import (
    Nonces,
    Offer,
    build,
    check_scope,
    demanded,
)
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState
from ikeactors.protocol.ikev2.collisions import NoncePair, RivalChild, report_crossing
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.explaining import refused_child
from ikeactors.protocol.ikev2.groups import (
    GroupChoice,
    answer_exchange,
    offered_groups,
    private_key,
    shared_secret,
)
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState, error_of
from ikeactors.protocol.ikev2.informational import DeleteChildInitiator, DisownChildInitiator
from ikeactors.protocol.ikev2.installing import (
    InstallOffered,
    install,
    install_redundant,
)
from ikeactors.protocol.ikev2.overlap import is_held
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from ikeactors.protocol.ikev2.twins import twin_of
from ikeactors.protocol.ikev2.wanting import create_later
from ikeactors.protocol.settings import ChildSettings
from ikeactors.wire.message import find, notifies, only
from ikeactors.wire.payload import KeyExchange, Nonce, Notify, Payload, SecurityAssociation

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened

# Ours: Child SAs on one IKE SA, more than any configuration we know of wants.
MAX_CHILDREN = 1024


class CreateChildInitiator:
    """The initiator's side: a Child SA for `settings`, or for a `pair`, replacing `rekeyed`."""

    exchange = ExchangeType.CREATE_CHILD_SA

    __slots__ = (
        "_group",
        "_nonce",
        "_offer",
        "_pair",
        "_private",
        "_rekeyed",
        "_request",
        "_rival",
        "_settings",
    )

    def __init__(
        self,
        settings: ChildSettings,
        request: Request,
        rekeyed: ChildSa | None = None,
        pair: pairs.Pair | None = None,
    ) -> None:
        self._settings = settings
        self._request = request
        self._rekeyed = rekeyed
        self._pair = pair
        self._group: GroupChoice | None = None
        self._private: PrivateKey | None = None
        self._nonce = b""
        self._offer: Offer | None = None
        self._rival: RivalChild | None = None

    @property
    def children(self) -> tuple[str, ...] | None:
        """The child that is wanted."""
        return (self._settings.name,)

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr; nothing where there is no need any more."""
        rekeyed = self._rekeyed
        if self._is_needless(association):
            self._leave(association)
            return None
        self._offer = Offer.make(
            association,
            self._settings,
            in_auth=False,
            rekeyed=rekeyed,
            trigger=self._request.trigger,
            pair=self._pair,
        )
        if self._group is None:
            groups = offered_groups(self._offer.proposals)
            self._group = GroupChoice(groups[0] if groups else KeyExchangeMethod.NONE)
        self._nonce = association.surroundings.entropy.octets(NONCE_OCTETS)
        sa, *selectors = self._offer.payloads()
        payloads: list[Payload] = [sa, Nonce(self._nonce)]
        if self._group.method is not KeyExchangeMethod.NONE:
            self._private = private_key(association.surroundings.entropy, self._group.method)
            payloads.append(KeyExchange(self._group.method, self._private.public))
        payloads += selectors
        if rekeyed is not None:
            rekeyed.state = ChildState.REKEYING
            spi = rekeyed.spi_in.to_bytes(4, "big")
            protocol = ProtocolId(rekeyed.agreement.suite.protocol)
            payloads.insert(0, Notify(NotifyType.REKEY_SA, b"", protocol, spi))
        association.children.expect_answer()
        return tuple(payloads)

    def _is_needless(self, association: Association) -> bool:
        """Whether the SA to rekey is gone, or the wanted one has come up meanwhile."""
        if self._rekeyed is not None:
            return self._rekeyed.state is not ChildState.INSTALLED
        children = association.children
        return pairs.is_met(children.standing(self._settings.name), self._request.trigger)

    def _leave(self, association: Association) -> None:
        """Nothing is to be asked: what is there, or is about to be, is the answer."""
        if self._rekeyed is None:
            joining.join(association, self._settings.name, self._request)
            return
        self._request.finish_part(association, association.children.fate(self._rekeyed))

    # The peer's exchange for the same that crosses ours.

    def crosses(self, rekeyed: ChildSa | None, settings: ChildSettings) -> bool:
        """Whether a request of the peer is about what we have asked for."""
        if rekeyed is not None:
            return self._rekeyed is rekeyed
        return self._rekeyed is None and self._settings.name == settings.name

    def crossed(self, rival: RivalChild) -> None:
        """The peer has made this meanwhile; the nonces decide when we have all four."""
        self._rival = rival

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The responder's half: install, then delete what is replaced."""
        early = association.children.answer_came(is_last=not _outstanding(ike_sa))
        error = error_of(payloads)
        if error is not None and find(payloads, SecurityAssociation) is None:
            self._refused(association, ike_sa, error)
            return
        association.ike_sas.succeeded()
        assert self._offer is not None
        try:
            agreement = self._offer.accepted(association, payloads)
            if self._rekeyed is not None:
                check_scope(association, self._rekeyed, agreement.local_ts, agreement.remote_ts)
            shared = shared_secret(payloads, self._private, self._group)
            nonces = Nonces(self._nonce, only(payloads, Nonce).data, shared)
        except InvalidKeyExchange as fault:
            association.delete_ike_sa(
                f"the KE payload of the peer is invalid: {fault}", Request(None)
            )
            self._failed(association, str(fault))
            return
        except ProtocolFault as fault:
            self._failed(association, str(fault))
            association.children.disown(self._offer.protocol, self._offer.spi_in)
            return
        if agreement.spi_out in early:
            self._deleted_early(association)
            return
        self._install(association, ike_sa, agreement, nonces)

    def _install(
        self, association: Association, ike_sa: IkeSa, agreement: Agreement, nonces: Nonces
    ) -> None:
        assert self._offer is not None
        children, old = association.children, self._rekeyed
        rival, pair = self._rival, NoncePair(nonces.nonce_i, nonces.nonce_r)
        loses = rival is not None and rival.prevails(children, old, agreement, pair)
        twin = twin_of(children, self._settings, agreement) if old is None else None
        reqid = twin.reqid if twin is not None else self._offer.reqid
        child = build(
            association, ike_sa, self._settings, agreement, nonces, reqid, exchange_initiator=True
        )
        if rival is not None:
            report_crossing(association, f"Child SA {self._settings.name}", loses)
        if not loses:
            redundant = rival.redundant_to(old, agreement) if rival is not None else None
            install(association, child, InstallOffered(child, self._request, old, redundant))
            return
        install_redundant(association, child)
        children.delete(child, Request(None))
        if old is not None:
            children.went_on(old)
        self._request.finish_part(association)

    def _deleted_early(self, association: Association) -> None:
        """The peer's Delete of what we have asked for was here first."""
        children, old = association.children, self._rekeyed
        reason = "the peer has deleted it already"
        if old is None and children.stands(self._settings.name):
            self._leave(association)
            return
        if old is None:
            children.failed(self._settings, reason, self._request)
            return
        children.successor_deleted(old)
        self._request.finish_part(association, children.fate(old))

    def _refused(self, association: Association, ike_sa: IkeSa, error: Notify) -> None:
        children, rekeyed = association.children, self._rekeyed
        if error.type is NotifyType.TEMPORARY_FAILURE:
            self._put_off(association)
            return
        association.ike_sas.succeeded()
        if self._corrected(association, error):
            if rekeyed is not None and rekeyed.state is ChildState.REKEYING:
                rekeyed.state = ChildState.INSTALLED
                if rekeyed.successor is not None:
                    children.superseded(rekeyed)
            ike_sa.ask(association, self)
            return
        if error.type is NotifyType.CHILD_SA_NOT_FOUND and rekeyed is not None:
            children.lost(rekeyed, self._request)
            return
        self._failed(association, refused_child(association, error.type, str(self._offer)))

    def _corrected(self, association: Association, error: Notify) -> bool:
        """Whether the peer has said how to ask, and we can ask so."""
        assert self._group is not None and self._offer is not None
        if error.type is NotifyType.SINGLE_PAIR_REQUIRED:
            self._pair = pairs.less(association, self._offer, self._rekeyed)
            return self._pair is not None
        if error.type is NotifyType.INVALID_KE_PAYLOAD:
            return self._group.corrected(error.data, self._offer.proposals)
        return False

    def _put_off(self, association: Association) -> None:
        """Not now: wait, longer each time; an operator is told, and asks again when she likes."""
        children, rekeyed, request = association.children, self._rekeyed, self._request
        problem = "the peer answered TEMPORARY_FAILURE"
        association.ike_sas.put_off()
        if rekeyed is not None:
            met = rekeyed.state is not ChildState.REKEYING or rekeyed.successor is not None
            children.went_on(rekeyed)
            request.finish_part(association, children.fate(rekeyed) if met else problem)
        elif children.stands(self._settings.name):
            self._leave(association)
        elif request.is_awaited:
            children.failed(self._settings, problem, request)
        else:
            request.finish_part(association)
            create_later(association, self._settings, association.ike_sas.wait())

    def _failed(self, association: Association, reason: str) -> None:
        if self._rekeyed is None:
            association.children.failed(self._settings, reason, self._request)
            return
        association.report(
            "child-sa-rekey-failed",
            f"rekeying Child SA {self._settings.name} failed: {reason}",
            Level.WARNING,
        )
        association.children.went_on(self._rekeyed)
        self._request.finish_part(association, reason)

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone, and the Child SA with it."""
        association.children.answer_came(is_last=True)
        self._request.finish_part(association, reason)


def respond(
    association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
) -> Answer | None:
    """Serve CREATE_CHILD_SA: a new IKE SA, a new Child SA, or a Child SA's successor."""
    offered = only(payloads, SecurityAssociation).proposals
    if offered[0].protocol is ProtocolId.IKE:
        _check_children(ike_sa)
        return rekey_ike_sa.respond(association, ike_sa, payloads)
    is_replaced = association.ike_sas.is_replacing or is_held(association)
    if ike_sa.state is not IkeSaState.ESTABLISHED or is_replaced:
        raise TemporaryFailure("the IKE SA is being rekeyed, reauthenticated or deleted")
    if len(association.children) >= MAX_CHILDREN:
        raise NoAdditionalSas(f"there are {MAX_CHILDREN} Child SAs already")
    rekeyed = _rekeyed(association, ike_sa, payloads)
    exchanged = find(payloads, KeyExchange)
    preferred = exchanged.method if exchanged else None
    demand = demanded(association, payloads, in_auth=False, rekeyed=rekeyed, preferred_ke=preferred)
    nonces = only(payloads, Nonce).data, association.surroundings.entropy.octets(NONCE_OCTETS)
    entropy, group = association.surroundings.entropy, demand.agreement.suite.ke
    key_exchange, shared = answer_exchange(entropy, group, exchanged)
    twin = twin_of(association.children, demand.settings, demand.agreement)
    child = build(
        association,
        ike_sa,
        demand.settings,
        demand.agreement,
        Nonces(*nonces, shared),
        twin.reqid if rekeyed is None and twin is not None else demand.reqid,
        exchange_initiator=False,
    )
    ours = [one for one in _outstanding(ike_sa) if one.crosses(rekeyed, demand.settings)]
    if ours:
        ours[0].crossed(RivalChild(child, NoncePair(*nonces)))
    elif rekeyed is not None:
        association.children.superseded(rekeyed)
    if rekeyed is not None:
        rekeyed.successor = child
    sa, *selectors = demand.payloads()
    answer = (sa, Nonce(nonces[1]), *key_exchange, *selectors)
    waits = rekeyed is not None or twin is not None or association.overlap is not None
    return Answer(answer, child, (Notify(NotifyType.NO_PROPOSAL_CHOSEN),), waits)


def _rekeyed(association: Association, ike_sa: IkeSa, payloads: Payloads) -> ChildSa | None:
    """The Child SA that N(REKEY_SA) names, if the request has one (RFC 7296 section 2.25)."""
    rekeys = notifies(payloads, NotifyType.REKEY_SA)
    if not rekeys:
        return None
    notify = rekeys[0]
    if len(rekeys) > 1 or len(notify.spi) != 4:
        raise InvalidSyntax("N(REKEY_SA) names no SPI of four octets, or comes twice")
    child = association.children.by_spi_out(int.from_bytes(notify.spi, "big"))
    ours = _outstanding(ike_sa)
    if child is None and ours:
        raise TemporaryFailure("it may be the Child SA of an answer that is still under way")
    if (
        child is None
        or child.state is ChildState.RETIRED
        or child.agreement.suite.protocol != notify.protocol
    ):
        text = f"no Child SA has the SPI {notify.spi.hex()}"
        raise ChildSaNotFound(text, notify.spi, ProtocolId(notify.protocol))
    crosses = any(one.crosses(child, child.settings) for one in ours) and not child.successor
    if child.state is not ChildState.INSTALLED and not (
        crosses and child.state is ChildState.REKEYING
    ):
        raise TemporaryFailure(f"Child SA {child.name} is {child.state.value}")
    return child


def _outstanding(ike_sa: IkeSa) -> list[CreateChildInitiator]:
    """Our own exchanges for Child SAs that are not answered yet."""
    exchanges = (one.exchange for one in ike_sa.requests.outstanding)
    return [one for one in exchanges if isinstance(one, CreateChildInitiator)]


def _check_children(ike_sa: IkeSa) -> None:
    """Not while we create, rekey or delete a Child SA (RFC 7296 section 2.25.1)."""
    if any(isinstance(one.exchange, _OF_CHILDREN) for one in ike_sa.requests.outstanding):
        raise TemporaryFailure("an exchange for a Child SA is under way")


_OF_CHILDREN = (CreateChildInitiator, DeleteChildInitiator, DisownChildInitiator)
