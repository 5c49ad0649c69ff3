"""Negotiating a Child SA: the same within IKE_AUTH and CREATE_CHILD_SA, in both roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ikeactors.crypto.keys import child_keys
from ikeactors.crypto.suite import ChildSuite
from ikeactors.errors import InvalidSyntax, NoProposalChosen, TsUnacceptable
from ikeactors.iana import KeyExchangeMethod, NotifyType, ProtocolId
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.choosing import (
    Selectors,
    check_choice,
    check_narrowed,
    listed,
    numbered,
    with_trigger,
    without_contained,
    without_key_exchange,
)
from ikeactors.protocol.events import Trigger
from ikeactors.protocol.ikev2 import compression
from ikeactors.protocol.ikev2.address_limits import check_limits
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, policies_of, sas_of
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.matching import (
    Asked,
    all_acceptable,
    fits_of,
    leaves_more,
    resolved,
    to_single_pair,
)
from ikeactors.protocol.ikev2.nat import as_seen_here
from ikeactors.protocol.settings import ChildSettings
from ikeactors.quick import quick
from ikeactors.wire.message import notifies, only
from ikeactors.wire.payload import (
    Notify,
    Payload,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
)
from ikeactors.wire.proposals import Proposal
from ikeactors.wire.selectors import Selector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa


# Ours: reqids that nobody has configured have this bit, what operators write is smaller; the rest
# is chance, so that nothing has to be counted, nor remembered over a restart.
_OWN_REQIDS = 1 << 30


@quick
class Nonces:
    """The nonces of the exchange that makes the keys, and the fresh shared secret, if any."""

    nonce_i: bytes
    nonce_r: bytes
    shared: bytes = b""

    def __repr__(self) -> str:
        return "Nonces(...)"


@quick
class Offer:
    """What we have offered for a Child SA; the response is held against it."""

    settings: ChildSettings
    proposals: tuple[Proposal, ...]
    local_ts: Selectors
    remote_ts: Selectors
    spi_in: int
    reqid: int
    cpi: int = 0

    @classmethod
    def make(
        cls,
        association: Association,
        settings: ChildSettings,
        *,
        in_auth: bool,
        rekeyed: ChildSa | None = None,
        trigger: Trigger | None = None,
        pair: tuple[Selectors, Selectors] | None = None,
    ) -> Offer:
        """An offer of everything the configuration allows, what has triggered it first.

        A rekeying keeps the reqid, and offers the whole again so that the successor is at least
        as wide as the SA it replaces (RFC 7296 section 2.9.2). `pair` is asked for instead of all.
        """
        spi_in = _fresh_spi(association)
        templates = settings.proposals
        if in_auth:
            templates = without_key_exchange(templates)
        proposals = numbered(templates, spi_in.to_bytes(4, "big"))
        reqid = rekeyed.reqid if rekeyed else _fresh_reqid(association, settings)
        local = resolved(settings.local_ts, association, local=True)
        remote = resolved(settings.remote_ts, association, local=False)
        if trigger is not None:
            local, remote = with_trigger(trigger, local, remote)
        if pair is not None:
            local, remote = pair
        cpi = compression.wanted(association, settings, (local, remote))
        return cls(settings, proposals, local, remote, spi_in, reqid, cpi)

    @property
    def protocol(self) -> ProtocolId:
        """ESP or AH; all proposals of an offer have the same SPI."""
        return self.proposals[0].protocol

    def __str__(self) -> str:
        proposals = "; ".join(str(proposal) for proposal in self.proposals)
        return f"{listed(self.local_ts)} === {listed(self.remote_ts)} with {proposals}"

    def payloads(self) -> Payloads:
        """SA, TSi, TSr and, for transport mode, its notify."""
        payloads: list[Payload] = [
            SecurityAssociation(self.proposals),
            TrafficSelectorsInitiator(self.local_ts),
            TrafficSelectorsResponder(self.remote_ts),
        ]
        if self.settings.mode is Mode.TRANSPORT:
            payloads.append(Notify(NotifyType.USE_TRANSPORT_MODE))
        return (*payloads, *compression.notify_of(self.cpi))

    def accepted(self, association: Association, payloads: Payloads) -> Agreement:
        """What the responder made of the offer; raises where that is not a part of it."""
        choice = check_choice(only(payloads, SecurityAssociation).proposals, self.proposals)
        suite = ChildSuite.from_proposal(choice)
        local: Sequence[Selector] = only(payloads, TrafficSelectorsInitiator).selectors
        remote: Sequence[Selector] = only(payloads, TrafficSelectorsResponder).selectors
        mode = Mode.TUNNEL
        if notifies(payloads, NotifyType.USE_TRANSPORT_MODE):
            mode = Mode.TRANSPORT
            local, remote = as_seen_here(association, local, remote)
        local = without_contained(check_narrowed(local, self.local_ts))
        remote = without_contained(check_narrowed(remote, self.remote_ts))
        check_limits(association, remote)
        if mode is not self.settings.mode:
            raise TsUnacceptable(
                f"the peer wants {mode.value} mode, child {self.settings.name} "
                f"asks for {self.settings.mode.value} mode"
            )
        spis = (self.spi_in, _spi_of(choice))
        cpis = compression.accepted(payloads, self.cpi)
        pads = _takes_padding(payloads)
        return Agreement(suite, mode, local, remote, *spis, pads=pads, cpis=cpis)


@quick
class Demand:
    """What the peer has asked for, as the responder found it acceptable."""

    settings: ChildSettings
    agreement: Agreement
    choice: Proposal
    reqid: int
    leaves_more: bool = False

    def payloads(self) -> Payloads:
        """SA, TSi, TSr and notifies, of transport mode and of what we would take besides: the
        responder's answer."""
        choice = Proposal(
            self.choice.number,
            self.choice.protocol,
            self.agreement.spi_in.to_bytes(4, "big"),
            self.choice.transforms,
        )
        payloads: list[Payload] = [
            SecurityAssociation((choice,)),
            TrafficSelectorsInitiator(self.agreement.remote_ts),
            TrafficSelectorsResponder(self.agreement.local_ts),
        ]
        if self.agreement.mode is Mode.TRANSPORT:
            payloads.append(Notify(NotifyType.USE_TRANSPORT_MODE))
        if self.leaves_more:
            payloads.append(Notify(NotifyType.ADDITIONAL_TS_POSSIBLE))
        return (*payloads, *compression.notify_of(self.agreement.cpis[0]))


def demanded(
    association: Association,
    payloads: Payloads,
    *,
    in_auth: bool,
    rekeyed: ChildSa | None = None,
    preferred_ke: KeyExchangeMethod | None = None,
) -> Demand:
    """Find the child that fits the request best and choose within it.

    Raises NoProposalChosen, TsUnacceptable or SinglePairRequired with the explanation (RFC 7296
    section 2.9).
    """
    asked = Asked.read(payloads)
    children = (rekeyed.settings,) if rekeyed else association.connection.children
    fits = fits_of(association, children, asked)
    offered = only(payloads, SecurityAssociation).proposals
    acceptable = all_acceptable(fits, offered, in_auth, preferred_ke)
    fit, choice = acceptable[0]
    if choice.protocol == ProtocolId.AH and association.path.encapsulated:
        raise NoProposalChosen(f"child {fit.settings.name}: AH does not pass a NAT")
    if fit.settings.single_pair:
        fit = to_single_pair(fit, asked, rekeyed.agreement if rekeyed else None)
    mode = fit.settings.mode if asked.wants_transport else Mode.TUNNEL
    if mode is not fit.settings.mode:
        raise TsUnacceptable(
            f"child {fit.settings.name} is configured for {fit.settings.mode.value} mode"
        )
    if rekeyed is not None:
        check_scope(association, rekeyed, fit.local, fit.remote)
    agreement = Agreement(
        ChildSuite.from_proposal(choice),
        mode,
        fit.local,
        fit.remote,
        _fresh_spi(association),
        _spi_of(choice),
        pads=_takes_padding(payloads),
        cpis=compression.demanded(association, fit.settings, payloads, (fit.local, fit.remote)),
    )
    reqid = rekeyed.reqid if rekeyed else _fresh_reqid(association, fit.settings)
    return Demand(fit.settings, agreement, choice, reqid, leaves_more(acceptable))


def check_scope(
    association: Association, rekeyed: ChildSa, local: Selectors, remote: Selectors
) -> None:
    """A successor selects what is in use at least (RFC 7296 section 2.9.2).

    Addresses that an end has given up are not in use any more. Raises TsUnacceptable; the SA that
    was to be rekeyed stays.
    """
    settings, in_use = rekeyed.settings, rekeyed.agreement
    _check_kept(in_use.local_ts, local, resolved(settings.local_ts, association, local=True))
    _check_kept(in_use.remote_ts, remote, resolved(settings.remote_ts, association, local=False))


def _check_kept(in_use: Selectors, agreed: Selectors, configured: Selectors) -> None:
    for one in in_use:
        still_ours = any(ours.contains(one) for ours in configured)
        if still_ours and not any(kept.contains(one) for kept in agreed):
            raise TsUnacceptable(
                f"a rekeying to {listed(agreed)} would leave out {one}, which is in use"
            )


def build(
    association: Association,
    ike_sa: IkeSa,
    settings: ChildSettings,
    agreement: Agreement,
    nonces: Nonces,
    reqid: int,
    *,
    exchange_initiator: bool,
) -> ChildSa:
    """Derive the keys and make the Child SA that is to be installed."""
    keys = child_keys(
        agreement.suite,
        ike_sa.suite.prf_function,
        ike_sa.keys.sk_d,
        nonces.nonce_i,
        nonces.nonce_r,
        nonces.shared,
    )
    connection, path = association.connection, association.path
    spread = association.surroundings.fraction()
    if association.overlap is not None:
        reqid = association.overlap.reqid(settings, agreement) or reqid
    sas = sas_of(connection, settings, agreement, keys, exchange_initiator, path, reqid, spread)
    policies = policies_of(connection, settings, agreement, path, reqid)
    child = association.children.add(settings, agreement, sas, policies)
    child.is_ours = exchange_initiator
    return child


def _takes_padding(payloads: Payloads) -> bool:
    return not notifies(payloads, NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED)


def _fresh_spi(association: Association) -> int:
    """An SPI that no Child SA of this association has."""
    while True:
        spi = association.surroundings.choose_child_spi()
        if association.children.by_spi_in(spi) is None:
            return spi


def _fresh_reqid(association: Association, settings: ChildSettings) -> int:
    """The configured reqid, or one of our own, which the successors of the Child SA inherit."""
    if settings.reqid:
        return settings.reqid
    octets = association.surroundings.entropy.octets(4)
    return _OWN_REQIDS | int.from_bytes(octets, "big") % _OWN_REQIDS


def _spi_of(choice: Proposal) -> int:
    spi = int.from_bytes(choice.spi, "big")
    if len(choice.spi) != 4 or spi < 256:
        raise InvalidSyntax(f"SPI {choice.spi.hex()} is reserved")
    return spi
