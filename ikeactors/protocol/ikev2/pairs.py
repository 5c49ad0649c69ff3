"""Child SAs of one pair of addresses each, where the peer takes no others (RFC 7296 section 2.9).

A peer that answers SINGLE_PAIR_REQUIRED is asked again for less: for the addresses of the packet
that needs the SA, or the first ones that are configured. Another packet that none of them takes
has another one negotiated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.protocol.choosing import Selectors, listed, without_contained
from ikeactors.protocol.events import Address, Trigger
from ikeactors.protocol.ikev2.child_negotiation import Offer
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa
from ikeactors.protocol.ikev2.matching import hosts_of
from ikeactors.wire.selectors import TrafficSelector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: pairs of one child on one IKE SA; each costs both ends an SA, and a scan makes many.
MAX_PAIRS = 256

Pair = tuple[Selectors, Selectors]


def less(association: Association, offer: Offer, rekeyed: ChildSa | None) -> Pair | None:
    """What to ask for instead of this offer: what is in use, else its first addresses.

    None where that is no less: then the peer wants something else than it says.
    """
    local, remote = offer.local_ts, offer.remote_ts
    pair = _between_first(local), _between_first(remote)
    if rekeyed is not None:
        pair = rekeyed.agreement.local_ts, rekeyed.agreement.remote_ts
    if _is_pair(local, remote) or not _is_pair(*pair):
        return None
    name = offer.settings.name
    association.report(
        "single-pair-required",
        f"the peer {association.remote} takes a Child SA for each pair of addresses: asking for "
        f"{listed(pair[0])} === {listed(pair[1])} of {name}",
        child=name,
    )
    return pair


def is_met(standing: Iterable[ChildSa], trigger: Trigger | None) -> bool:
    """Whether one of a child's SAs is what is wanted; all are of one pair where a pair is."""
    agreements = [one.agreement for one in standing]
    if trigger is None or not agreements or len(agreements) >= MAX_PAIRS:
        return bool(agreements)
    if not all(_is_pair(one.local_ts, one.remote_ts) for one in agreements):
        return True
    return any(_takes(one, trigger) for one in agreements)


def _takes(agreement: Agreement, trigger: Trigger) -> bool:
    return any(one.contains(trigger.source) for one in agreement.local_ts) and any(
        one.contains(trigger.destination) for one in agreement.remote_ts
    )


def _is_pair(local: Selectors, remote: Selectors) -> bool:
    return len(hosts_of(local)) == len(hosts_of(remote)) == 1


def _between_first(selectors: Selectors) -> Selectors:
    """All that is selected of one address: the packet's, which leads, or the first host's."""
    first = selectors[0]
    # The first address of a network is no host's.
    host: Address = first.start if int(first.end) - int(first.start) < 2 else first.start + 1
    own = (replace(one, start=host, end=host) for one in selectors if _has(one, host))
    return without_contained(tuple(own))


def _has(one: TrafficSelector, host: Address) -> bool:
    return one.start.version == host.version and int(one.start) <= int(host) <= int(one.end)
