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
    InvalidKePayload,
    InvalidKeyExchange,
    InvalidSyntax,
    NoAdditionalSas,
    ProtocolFault,
    TemporaryFailure,
)
from ikeactors.iana import ExchangeType, KeyExchangeMethod, NotifyType, ProtocolId, TransformType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2 import rekey_ike_sa
from ikeactors.protocol.ikev2.child_negotiation import Demand, Nonces, Offer, build, demanded
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.explaining import refused_child
from ikeactors.protocol.ikev2.groups import GroupChoice, offered_groups, private_key
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState, error_of
from ikeactors.protocol.ikev2.installing import InstallOffered, install
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from ikeactors.protocol.settings import ChildSettings
from ikeactors.wire.message import find, notifies, only
from ikeactors.wire.payload import KeyExchange, Nonce, Notify, Payload, SecurityAssociation

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened

# Ours: Child SAs on one IKE SA. A peer that wants more than any configuration we know of is
# told NO_ADDITIONAL_SAS.
MAX_CHILDREN = 1024


class CreateChildInitiator:
    """The initiator's side: a Child SA for `settings`, replacing `rekeyed` where there is one."""

    exchange = ExchangeType.CREATE_CHILD_SA

    __slots__ = (
        "_group",
        "_nonce",
        "_offer",
        "_private",
        "_rekeyed",
        "_request",
        "_settings",
    )

    def __init__(
        self, settings: ChildSettings, request: Request, rekeyed: ChildSa | None = None
    ) -> None:
        self._settings = settings
        self._request = request
        self._rekeyed = rekeyed
        self._group: GroupChoice | None = None
        self._private: PrivateKey | None = None
        self._nonce = b""
        self._offer: Offer | None = None

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr; nothing where there is no need any more."""
        rekeyed = self._rekeyed
        if self._is_needless(association):
            self._request.finish_part(association)
            return None
        self._offer = Offer.make(association, self._settings, in_auth=False, rekeyed=rekeyed)
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
        return tuple(payloads)

    def _is_needless(self, association: Association) -> bool:
        """Whether the SA to rekey is gone, or the wanted one has come up meanwhile."""
        if self._rekeyed is not None:
            return self._rekeyed.state is not ChildState.INSTALLED
        return bool(association.children.named(self._settings.name))

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The responder's half: install, then delete what is replaced."""
        error = error_of(payloads)
        if error is not None and find(payloads, SecurityAssociation) is None:
            self._refused(association, ike_sa, error)
            return
        assert self._offer is not None
        try:
            agreement = self._offer.accepted(payloads)
            nonces = Nonces(self._nonce, only(payloads, Nonce).data, self._shared(payloads))
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
        child = build(
            association,
            ike_sa,
            self._settings,
            agreement,
            nonces,
            self._offer.reqid,
            exchange_initiator=True,
        )
        replaces = self._rekeyed.number if self._rekeyed else None
        install(association, child, InstallOffered(child, self._request, replaces))

    def _shared(self, payloads: Payloads) -> bytes:
        """The fresh shared secret; none without a KE payload of ours."""
        exchanged = find(payloads, KeyExchange)
        if self._private is None:
            if exchanged is not None:
                raise InvalidSyntax("a KE payload where none was asked for")
            return b""
        if exchanged is None:
            choice = only(payloads, SecurityAssociation).proposals[0]
            if any(transform.id for transform in choice.of_type(TransformType.KE)):
                raise InvalidSyntax("the responder chose a group and sent no KE payload")
            return b""
        if self._group is None or exchanged.method != self._group.method:
            raise InvalidSyntax("the responder's KE payload is of another group than ours")
        return self._private.exchange(exchanged.data)

    def _refused(self, association: Association, ike_sa: IkeSa, error: Notify) -> None:
        if error.type is NotifyType.INVALID_KE_PAYLOAD and self._try_group(error.data):
            self._restore()
            ike_sa.ask(association, self)
            return
        rekeyed = self._rekeyed
        if error.type is NotifyType.CHILD_SA_NOT_FOUND and rekeyed is not None:
            association.children.lost(rekeyed, self._request)
            return
        if error.type is NotifyType.TEMPORARY_FAILURE and rekeyed is not None:
            self._restore()
            association.children.retry_rekey(rekeyed)
            self._request.finish_part(association, "the peer answered TEMPORARY_FAILURE")
            return
        self._failed(association, refused_child(association, error.type, str(self._offer)))

    def _try_group(self, data: bytes) -> bool:
        assert self._group is not None
        assert self._offer is not None
        return self._group.corrected(data, self._offer.proposals)

    def _failed(self, association: Association, reason: str) -> None:
        self._restore()
        if self._rekeyed is not None:
            association.report(
                "child-sa-rekey-failed",
                f"rekeying Child SA {self._settings.name} failed: {reason}",
                Level.WARNING,
            )
            association.children.retry_rekey(self._rekeyed)
            self._request.finish_part(association, reason)
        else:
            association.children.failed(self._settings, reason, self._request)

    def _restore(self) -> None:
        if self._rekeyed is not None and self._rekeyed.state is ChildState.REKEYING:
            self._rekeyed.state = ChildState.INSTALLED

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone, and the Child SA with it."""
        self._request.finish_part(association, reason)


def respond(
    association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
) -> Answer | None:
    """Serve CREATE_CHILD_SA: a new IKE SA, a new Child SA, or a Child SA's successor."""
    offered = only(payloads, SecurityAssociation).proposals
    if offered[0].protocol is ProtocolId.IKE:
        return rekey_ike_sa.respond(association, ike_sa, payloads)
    if ike_sa.state is not IkeSaState.ESTABLISHED or association.ike_sas.is_replacing:
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")
    if len(association.children) >= MAX_CHILDREN:
        raise NoAdditionalSas(f"there are {MAX_CHILDREN} Child SAs already")
    rekeyed = _rekeyed(association, ike_sa, payloads)
    exchanged = find(payloads, KeyExchange)
    preferred = exchanged.method if exchanged else None
    demand = demanded(association, payloads, in_auth=False, rekeyed=rekeyed, preferred_ke=preferred)
    nonce_r = association.surroundings.entropy.octets(NONCE_OCTETS)
    nonce_i = only(payloads, Nonce).data
    key_exchange, shared = _exchange(association, demand, exchanged)
    child = build(
        association,
        ike_sa,
        demand.settings,
        demand.agreement,
        Nonces(nonce_i, nonce_r, shared),
        demand.reqid,
        exchange_initiator=False,
    )
    if rekeyed is not None:
        rekeyed.state = ChildState.REKEYED
        association.children.replace(rekeyed, child)
    sa, *selectors = demand.payloads()
    answer = (sa, Nonce(nonce_r), *key_exchange, *selectors)
    refusal = (Notify(NotifyType.NO_PROPOSAL_CHOSEN),)
    return Answer(answer, child, refusal, rekeyed is not None)


def _rekeyed(association: Association, ike_sa: IkeSa, payloads: Payloads) -> ChildSa | None:
    """The Child SA that N(REKEY_SA) names, if the request has one (RFC 7296 section 2.25)."""
    rekeys = notifies(payloads, NotifyType.REKEY_SA)
    if not rekeys:
        return None
    notify = rekeys[0]
    if len(rekeys) > 1 or len(notify.spi) != 4:
        raise InvalidSyntax("N(REKEY_SA) names no SPI of four octets, or comes twice")
    child = association.children.by_spi_out(int.from_bytes(notify.spi, "big"))
    outstanding = ike_sa.requests.outstanding
    if child is None and outstanding and isinstance(outstanding.exchange, CreateChildInitiator):
        raise TemporaryFailure("it may be the Child SA of an answer that is still under way")
    if (
        child is None
        or child.state is ChildState.RETIRED
        or child.agreement.suite.protocol != notify.protocol
    ):
        raise ChildSaNotFound(f"no Child SA has the SPI {notify.spi.hex()}", notify.spi)
    if child.state is not ChildState.INSTALLED:
        raise TemporaryFailure(f"Child SA {child.name} is {child.state.value}")
    return child


def _exchange(
    association: Association, demand: Demand, exchanged: KeyExchange | None
) -> tuple[tuple[Payload, ...], bytes]:
    """Our KE payload and the shared secret, where the chosen suite has a group."""
    method = demand.agreement.suite.ke
    if method == KeyExchangeMethod.NONE:
        return (), b""
    if exchanged is None or exchanged.method != method:
        raise InvalidKePayload(f"{method.name} is wanted", method.to_bytes(2, "big"))
    private = private_key(association.surroundings.entropy, method)
    try:
        shared = private.exchange(exchanged.data)
    except InvalidKeyExchange as fault:
        raise InvalidSyntax(f"the KE payload is invalid: {fault}") from None
    return (KeyExchange(method, private.public),), shared
