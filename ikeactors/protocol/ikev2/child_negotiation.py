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
    explain_mismatch,
    find_proposal,
    listed,
    narrow,
    numbered,
    without_key_exchange,
)
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, policies_of, sas_of
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.settings import ChildSettings, SelectorTemplate
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
from ikeactors.wire.selectors import Selector, TrafficSelector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa


# Ours: reqids that nobody has configured have this bit, what operators write is smaller; the rest
# is chance, so that nothing has to be counted, nor remembered over a restart.
_OWN_REQIDS = 1 << 30
# Ours: pairs of selectors of one Child SA, each of which is three policies.
MAX_PAIRS = 1024


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

    @classmethod
    def make(
        cls,
        association: Association,
        settings: ChildSettings,
        *,
        in_auth: bool,
        rekeyed: ChildSa | None = None,
    ) -> Offer:
        """An offer of everything the configuration allows.

        A rekeying keeps the reqid, and offers the whole again so that the successor is at least
        as wide as the SA it replaces (RFC 7296 section 2.9.2).
        """
        spi_in = _fresh_spi(association)
        templates = settings.esp_proposals
        if in_auth:
            templates = without_key_exchange(templates)
        proposals = numbered(templates, spi_in.to_bytes(4, "big"))
        reqid = rekeyed.reqid if rekeyed else _fresh_reqid(association, settings)
        return cls(
            settings,
            proposals,
            _resolved(settings.local_ts, association, local=True),
            _resolved(settings.remote_ts, association, local=False),
            spi_in,
            reqid,
        )

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
        return tuple(payloads)

    def accepted(self, payloads: Payloads) -> Agreement:
        """What the responder made of the offer; raises where that is not a part of it."""
        choice = check_choice(only(payloads, SecurityAssociation).proposals, self.proposals)
        suite = ChildSuite.from_proposal(choice)
        local = check_narrowed(only(payloads, TrafficSelectorsInitiator).selectors, self.local_ts)
        remote = check_narrowed(only(payloads, TrafficSelectorsResponder).selectors, self.remote_ts)
        mode = Mode.TUNNEL
        if notifies(payloads, NotifyType.USE_TRANSPORT_MODE):
            mode = Mode.TRANSPORT
        if mode is not self.settings.mode:
            raise TsUnacceptable(
                f"the peer wants {mode.value} mode, child {self.settings.name} "
                f"asks for {self.settings.mode.value} mode"
            )
        return Agreement(suite, mode, local, remote, self.spi_in, _spi_of(choice))


@quick
class Demand:
    """What the peer has asked for, as the responder found it acceptable."""

    settings: ChildSettings
    agreement: Agreement
    choice: Proposal
    reqid: int

    def payloads(self) -> Payloads:
        """SA, TSi, TSr and, for transport mode, its notify: the responder's answer."""
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
        return tuple(payloads)


@quick
class Fit:
    """A child that has something in common with the selectors the peer asks for."""

    settings: ChildSettings
    local: Selectors
    remote: Selectors
    rank: int


def demanded(
    association: Association,
    payloads: Payloads,
    *,
    in_auth: bool,
    rekeyed: ChildSa | None = None,
    preferred_ke: KeyExchangeMethod | None = None,
) -> Demand:
    """Find the child that fits the request best and choose within it.

    Raises NoProposalChosen or TsUnacceptable with the explanation (RFC 7296 section 2.9).
    """
    wants_transport = bool(notifies(payloads, NotifyType.USE_TRANSPORT_MODE))
    fits = _fits(association, payloads, rekeyed, wants_transport)
    offered = only(payloads, SecurityAssociation).proposals
    fit, choice = _first_acceptable(fits, offered, in_auth, preferred_ke)
    mode = fit.settings.mode if wants_transport else Mode.TUNNEL
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
    )
    reqid = rekeyed.reqid if rekeyed else _fresh_reqid(association, fit.settings)
    return Demand(fit.settings, agreement, choice, reqid)


def check_scope(
    association: Association, rekeyed: ChildSa, local: Selectors, remote: Selectors
) -> None:
    """A successor selects what is in use at least (RFC 7296 section 2.9.2).

    Addresses that an end has given up are not in use any more. Raises TsUnacceptable; the SA that
    was to be rekeyed stays.
    """
    settings, in_use = rekeyed.settings, rekeyed.agreement
    _check_kept(in_use.local_ts, local, _resolved(settings.local_ts, association, local=True))
    _check_kept(in_use.remote_ts, remote, _resolved(settings.remote_ts, association, local=False))


def _check_kept(in_use: Selectors, agreed: Selectors, configured: Selectors) -> None:
    for one in in_use:
        still_ours = any(ours.contains(one) for ours in configured)
        if still_ours and not any(kept.contains(one) for kept in agreed):
            raise TsUnacceptable(
                f"a rekeying to {listed(agreed)} would leave out {one}, which is in use"
            )


def _first_acceptable(
    fits: list[Fit],
    offered: tuple[Proposal, ...],
    in_auth: bool,
    preferred_ke: KeyExchangeMethod | None,
) -> tuple[Fit, Proposal]:
    """The best fit whose proposals take the offer; a refusal is explained by the best fit."""
    for fit in fits:
        templates = fit.settings.esp_proposals
        choice = find_proposal(offered, templates, preferred_ke, in_auth=in_auth)
        if choice is not None:
            return fit, choice
    configured = fits[0].settings.esp_proposals
    if in_auth:
        offered, configured = without_key_exchange(offered), without_key_exchange(configured)
    raise NoProposalChosen(explain_mismatch(offered, configured))


def _fits(
    association: Association, payloads: Payloads, rekeyed: ChildSa | None, wants_transport: bool
) -> list[Fit]:
    """The children that have something in common with the selectors, the best first.

    Children of another mode come last: a responder may refuse transport mode by not mentioning
    it (RFC 7296 section 1.3.1).
    """
    offered_remote = only(payloads, TrafficSelectorsInitiator).selectors
    offered_local = only(payloads, TrafficSelectorsResponder).selectors
    children = (rekeyed.settings,) if rekeyed else association.connection.children
    wanted = Mode.TRANSPORT if wants_transport else Mode.TUNNEL
    fits: list[Fit] = []
    for settings in children:
        local = narrow(offered_local, _resolved(settings.local_ts, association, local=True))
        remote = narrow(offered_remote, _resolved(settings.remote_ts, association, local=False))
        local, remote = _of_common_families(local, remote)
        if local and remote:
            rank = max(_rank(offered_local, local), _rank(offered_remote, remote))
            fits.append(Fit(settings, local, remote, rank))
    if not fits:
        raise TsUnacceptable(_explain_misfit(association, offered_local, offered_remote, children))
    return sorted(fits, key=lambda fit: (fit.settings.mode is not wanted, fit.rank))


def _of_common_families(local: Selectors, remote: Selectors) -> tuple[Selectors, Selectors]:
    """Without the selectors that have no partner of their address family."""
    families = {one.start.version for one in local} & {one.start.version for one in remote}
    local = tuple(one for one in local if one.start.version in families)
    remote = tuple(one for one in remote if one.start.version in families)
    if len(local) * len(remote) > MAX_PAIRS:
        raise TsUnacceptable(f"more than {MAX_PAIRS} pairs of traffic selectors")
    return local, remote


def _rank(offered: Sequence[Selector], narrowed: Selectors) -> int:
    """0 when nothing is cut off, 1 when the peer's first choice is within, else 2."""
    if offered == narrowed or set(offered) <= set(narrowed):
        return 0
    first = offered[0]
    if isinstance(first, TrafficSelector) and any(one.contains(first) for one in narrowed):
        return 1
    return 2


def _explain_misfit(
    association: Association,
    offered_local: Sequence[Selector],
    offered_remote: Sequence[Selector],
    children: Sequence[ChildSettings],
) -> str:
    ours = "; ".join(
        f"{child.name}: {listed(_resolved(child.local_ts, association, local=True))} === "
        f"{listed(_resolved(child.remote_ts, association, local=False))}"
        for child in children
    )
    return (
        f"no child has traffic selectors in common with the peer's: it asks for "
        f"{listed(offered_local)} (ours) === {listed(offered_remote)} (its); "
        f"configured: {ours or 'no child'}"
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
    sas = sas_of(connection, settings, agreement, keys, exchange_initiator, path, reqid, spread)
    policies = policies_of(connection, settings, agreement, path, reqid)
    child = association.children.add(settings, agreement, sas, policies)
    child.is_ours = exchange_initiator
    return child


def _resolved(
    templates: tuple[SelectorTemplate, ...], association: Association, *, local: bool
) -> Selectors:
    address = (association.local if local else association.remote).address
    return tuple(template.resolve(address) for template in templates)


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
