"""Rekeying the IKE SA, both roles (RFC 7296 sections 1.3.2 and 2.18).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SK {SA, Ni, KEi}  -->
                                 <--  HDR, SK {SA, Nr, KEr}

The successor inherits the Child SAs; its message IDs start from 0 and its original initiator is
the initiator of this exchange. The old IKE SA is deleted by the same end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.key_exchange import PrivateKey
from ikeactors.crypto.keys import Skeyseed
from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import (
    InvalidKeyExchange,
    InvalidSyntax,
    ProtocolFault,
    TemporaryFailure,
)
from ikeactors.iana import ExchangeType, KeyExchangeMethod, NotifyType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.choosing import check_choice, choose_proposal, numbered
from ikeactors.protocol.ikev2 import crash_detection
from ikeactors.protocol.ikev2.collisions import NoncePair, RivalIkeSa, report_crossing
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.groups import (
    GroupChoice,
    answer_exchange,
    offered_groups,
    private_key,
)
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState, Spis, error_of
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from ikeactors.protocol.ikev2.window import RequestWindow, ResponseWindow
from ikeactors.wire.header import ZERO_SPI
from ikeactors.wire.message import find, only
from ikeactors.wire.payload import KeyExchange, Nonce, Notify, SecurityAssociation
from ikeactors.wire.proposals import Proposal

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened


class RekeyIkeInitiator:
    """The initiator's side: our half of the new IKE SA is out."""

    exchange = ExchangeType.CREATE_CHILD_SA
    children = None

    __slots__ = ("_group", "_nonce", "_offer", "_old", "_private", "_request", "_spi")

    def __init__(self, request: Request, old: IkeSa) -> None:
        self._request = request
        self._old = old
        self._group: GroupChoice | None = None
        self._private: PrivateKey | None = None
        self._nonce = b""
        self._spi = b""
        self._offer: tuple[Proposal, ...] = ()

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """SA with the new SPI, Ni, KEi; nothing where the peer has rekeyed it meanwhile."""
        if ike_sa is not self._old or ike_sa.state is not IkeSaState.ESTABLISHED:
            self._request.finish_part(association)
            return None
        self._spi = association.surroundings.choose_ike_spi()
        self._offer = numbered(association.connection.proposals, self._spi)
        if self._group is None:
            self._group = GroupChoice(_preferred(ike_sa, self._offer))
        self._nonce = association.surroundings.entropy.octets(NONCE_OCTETS)
        self._private = private_key(association.surroundings.entropy, self._group.method)
        association.ike_sas.is_replacing = True
        return (
            SecurityAssociation(self._offer),
            Nonce(self._nonce),
            KeyExchange(self._group.method, self._private.public),
        )

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The responder's half: the new IKE SA takes over and the old one is deleted."""
        ike_sas = association.ike_sas
        ike_sas.is_replacing = False
        error = error_of(payloads)
        if error is not None and find(payloads, SecurityAssociation) is None:
            self._refused(association, ike_sa, error)
            return
        try:
            successor = self._successor(association, ike_sa, payloads)
        except InvalidKeyExchange as fault:
            association.delete_ike_sa(
                f"the KE payload of the peer is invalid: {fault}", Request(None)
            )
            self._request.finish_part(association, str(fault))
            return
        except ProtocolFault as fault:
            self._failed(association, str(fault))
            return
        crash_detection.keep(association, successor, payloads)
        rival = ike_sas.take_rival()
        nonces = NoncePair(self._nonce, only(payloads, Nonce).data)
        if rival is not None:
            lost = nonces.loses_to(rival.nonces)
            report_crossing(association, "a successor of the IKE SA", lost)
        if rival is not None and nonces.loses_to(rival.nonces):
            ike_sas.succeed(ike_sa, rival.ike_sa)
            ike_sas.delete_redundant(successor)
        else:
            ike_sas.succeed(ike_sa, successor)
            ike_sas.delete_former(ike_sa)
        self._request.finish_part(association)

    def _successor(self, association: Association, ike_sa: IkeSa, payloads: Payloads) -> IkeSa:
        choice = check_choice(only(payloads, SecurityAssociation).proposals, self._offer)
        if len(choice.spi) != 8 or choice.spi == ZERO_SPI:
            raise InvalidSyntax("the new IKE SA has no SPI")
        exchanged = only(payloads, KeyExchange)
        suite = IkeSuite.from_proposal(choice)
        assert self._private is not None
        assert self._group is not None
        if {exchanged.method, suite.ke} != {self._group.method}:
            raise InvalidSyntax("the responder's KE payload is of another group than chosen")
        return _make(
            association,
            ike_sa,
            Spis(self._spi, choice.spi, True),
            suite,
            NoncePair(self._nonce, only(payloads, Nonce).data),
            self._private.exchange(exchanged.data),
        )

    def _refused(self, association: Association, ike_sa: IkeSa, error: Notify) -> None:
        assert self._group is not None
        if association.ike_sas.inherit(ike_sa):
            self._request.finish_part(association)
            return
        if error.type is NotifyType.INVALID_KE_PAYLOAD and self._group.corrected(
            error.data, self._offer
        ):
            ike_sa.ask(association, self)
            return
        if error.type is NotifyType.TEMPORARY_FAILURE:
            association.ike_sas.put_off()
        self._failed(association, f"the peer answered {error.type.name}")

    def _failed(self, association: Association, reason: str) -> None:
        association.report(
            "ike-sa-rekey-failed", f"rekeying the IKE SA failed: {reason}", Level.WARNING
        )
        association.ike_sas.retry_rekey()
        self._request.finish_part(association, reason)

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone, or the peer has rekeyed it."""
        association.ike_sas.is_replacing = False
        is_replaced = association.ike_sa is not self._old and not association.closed
        self._request.finish_part(association, "" if is_replaced else reason)


def respond(association: Association, ike_sa: IkeSa, payloads: Payloads) -> Answer:
    """The responder's half; the new IKE SA takes over when the answer is out.

    Where our own request is out, it waits until all four nonces are known (section 2.8.2).
    """
    if ike_sa.state is not IkeSaState.ESTABLISHED:
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")
    crosses = _is_replaced(ike_sa)
    if crosses and association.ike_sas.rival is not None:
        raise TemporaryFailure("the IKE SA is being rekeyed twice")
    offered = only(payloads, SecurityAssociation).proposals
    exchanged = only(payloads, KeyExchange)
    nonce_i = only(payloads, Nonce).data
    choice = choose_proposal(offered, association.connection.proposals, exchanged.method)
    if len(choice.spi) != 8 or choice.spi == ZERO_SPI:
        raise InvalidSyntax("the new IKE SA has no SPI")
    suite = IkeSuite.from_proposal(choice)
    key_exchange, shared = answer_exchange(association.surroundings.entropy, suite.ke, exchanged)
    nonce_r = association.surroundings.entropy.octets(NONCE_OCTETS)
    spi = association.surroundings.choose_ike_spi()
    spis = Spis(choice.spi, spi, False)
    nonces = NoncePair(nonce_i, nonce_r)
    successor = _make(association, ike_sa, spis, suite, nonces, shared)
    ours = Proposal(choice.number, choice.protocol, spi, choice.transforms)
    if crosses:
        association.ike_sas.set_aside(RivalIkeSa(successor, nonces))
    else:
        association.ike_sas.succeed(ike_sa, successor)
    exchange: Payloads = SecurityAssociation((ours,)), Nonce(nonce_r), *key_exchange
    return Answer((*exchange, *crash_detection.token_for(association, spis)))


def _is_replaced(ike_sa: IkeSa) -> bool:
    return any(isinstance(one.exchange, RekeyIkeInitiator) for one in ike_sa.requests.outstanding)


def _make(
    association: Association,
    ike_sa: IkeSa,
    spis: Spis,
    suite: IkeSuite,
    half: NoncePair,
    shared: bytes,
) -> IkeSa:
    seed = Skeyseed.for_rekey(
        ike_sa.suite.prf_function, ike_sa.keys.sk_d, shared, half.nonce_i, half.nonce_r
    )
    keys = seed.expand(suite, half.nonce_i, half.nonce_r, spis.spi_i, spis.spi_r)
    windows = RequestWindow(), ResponseWindow()
    successor = IkeSa(association.next_number(), spis, suite, keys, windows)
    successor.state = IkeSaState.ESTABLISHED
    return successor


def _preferred(ike_sa: IkeSa, offer: tuple[Proposal, ...]) -> KeyExchangeMethod:
    """The group that worked the last time, where it is still offered."""
    methods = offered_groups(offer)
    return ike_sa.suite.ke if ike_sa.suite.ke in methods else methods[0]
