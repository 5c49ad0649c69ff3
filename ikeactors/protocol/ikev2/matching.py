"""Which child of the configuration fits what a peer asks for, as the responder sees it.

(RFC 7296 section 2.9)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.errors import (
    NoProposalChosen,
    ProtocolFault,
    SinglePairRequired,
    TsUnacceptable,
)
from ikeactors.iana import KeyExchangeMethod, NotifyType
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.choosing import (
    Selectors,
    explain_mismatch,
    find_proposal,
    listed,
    narrow,
    without_key_exchange,
)
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.address_limits import explained, limited
from ikeactors.protocol.ikev2.child_sa import Agreement
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.nat import as_seen_here
from ikeactors.protocol.settings import ChildSettings, SelectorTemplate
from ikeactors.quick import quick
from ikeactors.wire.message import notifies, only
from ikeactors.wire.payload import (
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
)
from ikeactors.wire.proposals import Proposal
from ikeactors.wire.selectors import Selector, TrafficSelector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: pairs of selectors of one Child SA, each of which is three policies.
MAX_PAIRS = 1024

_WORST_RANK = 2


@quick
class Asked:
    """What the peer wants protected: our side, its side, and whether in transport mode."""

    local: Sequence[Selector]
    remote: Sequence[Selector]
    wants_transport: bool

    @classmethod
    def read(cls, payloads: Payloads) -> Asked:
        """TSi and TSr as the responder has them."""
        return cls(
            only(payloads, TrafficSelectorsResponder).selectors,
            only(payloads, TrafficSelectorsInitiator).selectors,
            bool(notifies(payloads, NotifyType.USE_TRANSPORT_MODE)),
        )


@quick
class Fit:
    """A child that has something in common with the selectors the peer asks for."""

    settings: ChildSettings
    local: Selectors
    remote: Selectors
    rank: int

    @property
    def is_narrowed(self) -> bool:
        """Whether some of what the peer asks for is cut off."""
        return self.rank > 0


def fits_of(association: Association, children: Sequence[ChildSettings], asked: Asked) -> list[Fit]:
    """The children that have something in common with the selectors, the best first.

    Raises TsUnacceptable where there are none.
    """
    fits = _fits(association, children, asked)
    if not fits:
        reason = _explain_misfit(association, asked, children) + explained(association)
        raise TsUnacceptable(reason)
    return fits


def _fits(association: Association, children: Sequence[ChildSettings], asked: Asked) -> list[Fit]:
    """The same, and nothing where there are none.

    Children of another mode come last: a responder may refuse transport mode by not mentioning
    it (RFC 7296 section 1.3.1).
    """
    wanted = Mode.TRANSPORT if asked.wants_transport else Mode.TUNNEL
    fits = [fit for one in children if (fit := _fit(association, one, asked)) is not None]
    return sorted(fits, key=lambda fit: (fit.settings.mode is not wanted, fit.rank))


def _fit(association: Association, settings: ChildSettings, asked: Asked) -> Fit | None:
    theirs_local, theirs_remote = asked.local, asked.remote
    if asked.wants_transport and settings.mode is Mode.TRANSPORT:
        theirs_local, theirs_remote = as_seen_here(association, theirs_local, theirs_remote)
    local = narrow(theirs_local, resolved(settings.local_ts, association, local=True))
    remote = narrow(theirs_remote, resolved(settings.remote_ts, association, local=False))
    remote = limited(association, remote)
    local, remote = _of_common_families(local, remote)
    if not local or not remote:
        return None
    return Fit(
        settings, local, remote, max(_rank(theirs_local, local), _rank(theirs_remote, remote))
    )


def all_acceptable(
    fits: list[Fit],
    offered: tuple[Proposal, ...],
    in_auth: bool,
    preferred_ke: KeyExchangeMethod | None,
) -> list[tuple[Fit, Proposal]]:
    """The fits whose proposals take the offer, and what they take, the best first.

    A refusal, NoProposalChosen, is explained by the best fit.
    """
    acceptable: list[tuple[Fit, Proposal]] = []
    for fit in fits:
        templates = fit.settings.proposals
        choice = find_proposal(offered, templates, preferred_ke, in_auth=in_auth)
        if choice is not None:
            acceptable.append((fit, choice))
    if acceptable:
        return acceptable
    configured = fits[0].settings.proposals
    if in_auth:
        offered, configured = without_key_exchange(offered), without_key_exchange(configured)
    raise NoProposalChosen(explain_mismatch(offered, configured))


def to_single_pair(fit: Fit, asked: Asked, rekeyed: Agreement | None) -> Fit:
    """The fit between two single addresses: those in use where an SA is rekeyed, else the peer's
    first choices.

    Raises SinglePairRequired where the peer has not said which ones (RFC 7296 section 2.9).
    """
    local: Sequence[Selector] = asked.local[:1]
    remote: Sequence[Selector] = asked.remote[:1]
    if rekeyed is not None:
        local, remote = rekeyed.local_ts, rekeyed.remote_ts
    pair = narrow(local, fit.local), narrow(remote, fit.remote)
    if not all(len(hosts_of(side)) == 1 for side in pair):
        raise SinglePairRequired(
            f"child {fit.settings.name} takes a Child SA for each pair of addresses (single_pair), "
            f"and the peer asks first for {listed(asked.local[:1])} (ours) === "
            f"{listed(asked.remote[:1])} (its)"
        )
    return replace(fit, local=pair[0], remote=pair[1])


def hosts_of(selectors: Selectors) -> set[Address]:
    """Both ends of all ranges: a single one where they are all of one address."""
    return {address for one in selectors for address in (one.start, one.end)}


def leaves_more(acceptable: list[tuple[Fit, Proposal]]) -> bool:
    """Whether the best fit leaves out what another child takes: the initiator may ask for that
    too (RFC 7296 section 2.9)."""
    best = acceptable[0][0]
    return best.is_narrowed and any(
        not (_covers(best.local, fit.local) and _covers(best.remote, fit.remote))
        for fit, _ in acceptable[1:]
    )


def _covers(wide: Selectors, narrow_ones: Selectors) -> bool:
    return all(any(one.contains(other) for one in wide) for other in narrow_ones)


def fitness(association: Association, payloads: Payloads, children: Sequence[ChildSettings]) -> int:
    """How well the best of some children fits what IKE_AUTH asks for; 0 is not at all."""
    try:
        asked = Asked.read(payloads)
        offered = only(payloads, SecurityAssociation).proposals
        fits = _fits(association, children, asked)
    except ProtocolFault:
        return 0
    for fit in fits:
        if find_proposal(offered, fit.settings.proposals, in_auth=True) is not None:
            is_of_mode = (fit.settings.mode is Mode.TRANSPORT) is asked.wants_transport
            return 1 + _WORST_RANK - fit.rank + (1 + _WORST_RANK) * is_of_mode
    return 0


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
    # The first choice may be within the others: it is what has triggered the exchange.
    if all(_is_within(one, narrowed) for one in offered):
        return 0
    return 1 if _is_within(offered[0], narrowed) else _WORST_RANK


def _is_within(one: Selector, selectors: Selectors) -> bool:
    return isinstance(one, TrafficSelector) and any(other.contains(one) for other in selectors)


def _explain_misfit(
    association: Association, asked: Asked, children: Sequence[ChildSettings]
) -> str:
    ours = "; ".join(
        f"{child.name}: {listed(resolved(child.local_ts, association, local=True))} === "
        f"{listed(resolved(child.remote_ts, association, local=False))}"
        for child in children
    )
    return (
        f"no child has traffic selectors in common with the peer's: it asks for "
        f"{listed(asked.local)} (ours) === {listed(asked.remote)} (its); "
        f"configured: {ours or 'no child'}"
    )


def resolved(
    templates: tuple[SelectorTemplate, ...], association: Association, *, local: bool
) -> Selectors:
    """The selectors of the configuration; "dynamic" is the address of that end."""
    address = (association.local if local else association.remote).address
    return tuple(template.resolve(address) for template in templates)
