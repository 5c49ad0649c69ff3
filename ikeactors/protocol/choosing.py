"""Choosing: one proposal out of many, traffic selectors narrowed to what both ends want.

A refusal says what was offered and what would have been accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from ikeactors.crypto.ciphers import is_aead
from ikeactors.crypto.suite import supported
from ikeactors.errors import NoProposalChosen, TsUnacceptable
from ikeactors.iana import Encr, Esn, Integ, KeyExchangeMethod, ProtocolId, TransformType
from ikeactors.protocol.events import Trigger
from ikeactors.wire.proposals import Proposal, Transform
from ikeactors.wire.selectors import TrafficSelector, UnknownSelector

Selectors = tuple[TrafficSelector, ...]

# The specification's: the transform types that a proposal of each protocol has (RFC 7296 section
# 3.3.3), in the order in which a difference is looked for.
TYPES = {
    ProtocolId.IKE: (
        TransformType.ENCR,
        TransformType.INTEG,
        TransformType.PRF,
        TransformType.KE,
    ),
    ProtocolId.ESP: (
        TransformType.ENCR,
        TransformType.INTEG,
        TransformType.KE,
        TransformType.ESN,
    ),
    ProtocolId.AH: (TransformType.INTEG, TransformType.KE, TransformType.ESN),
}

# What the absence of a type means, where it means something.
_ABSENT = {
    TransformType.INTEG: int(Integ.NONE),
    TransformType.KE: int(KeyExchangeMethod.NONE),
    TransformType.ESN: int(Esn.NO_ESN),
}

# Ours: an explanation compares and lists at most this many proposals of each end, and so much of
# each, for it is made because of a message that anybody can send.
_MAX_EXPLAINED = 4
_MAX_EXPLAINED_TEXT = 300
# Ours: selectors of each end that are agreed on: their pairs are policies.
MAX_SELECTORS = 128
# Ours: a router has a handful of templates and some kinds of peers.
_REMEMBERED_MATCHES = 256


def choose_proposal(
    offered: Sequence[Proposal],
    configured: Sequence[Proposal],
    preferred_ke: KeyExchangeMethod | None = None,
) -> Proposal:
    """Choose as `find_proposal` does; raises NoProposalChosen with the explanation."""
    choice = find_proposal(offered, configured, preferred_ke)
    if choice is None:
        raise NoProposalChosen(explain_mismatch(offered, configured))
    return choice


def find_proposal(
    offered: Sequence[Proposal],
    configured: Sequence[Proposal],
    preferred_ke: KeyExchangeMethod | None = None,
    *,
    in_auth: bool = False,
) -> Proposal | None:
    """Choose one transform of each type; our order of preference decides.

    In IKE_AUTH key exchange methods are passed over on both sides.

    A key exchange method for which the peer sent a KE payload (`preferred_ke`) is taken where it
    is acceptable at all, which saves a round trip. The answer has the number and SPI of the
    offered proposal (RFC 7296 sections 2.7 and 3.3.6); None where nothing is acceptable.
    """
    for template in configured:
        for proposal in offered:
            bare = Proposal(1, proposal.protocol, b"", proposal.transforms)
            transforms = _match(bare, template, preferred_ke, in_auth)
            if transforms is not None:
                return Proposal(proposal.number, proposal.protocol, proposal.spi, transforms)
    return None


# Peers of one kind offer the same, again and again.
@lru_cache(maxsize=_REMEMBERED_MATCHES)
def _match(
    offered: Proposal, template: Proposal, preferred_ke: KeyExchangeMethod | None, in_auth: bool
) -> tuple[Transform, ...] | None:
    if in_auth:
        offered, template = without_key_exchange((offered, template))
    types = TYPES.get(offered.protocol)
    if types is None or offered.protocol != template.protocol:
        return None
    if any(transform.type not in types for transform in offered.transforms):
        return None
    chosen: list[Transform] = []
    for kind in types:
        transform = _common(offered, template, kind, preferred_ke, chosen)
        if transform is None:
            return None
        chosen.append(transform)
    return tuple(transform for transform in chosen if not _is_implied(transform, offered))


def _common(
    offered: Proposal,
    template: Proposal,
    kind: TransformType,
    preferred_ke: KeyExchangeMethod | None,
    chosen: list[Transform],
) -> Transform | None:
    """The transform of this type that both have, or None."""
    theirs = _alternatives(offered, kind)
    ours = _alternatives(template, kind)
    if kind is TransformType.INTEG and chosen and _is_aead(chosen[0]):
        ours = (_none_of(kind),)
    elif kind is TransformType.INTEG:
        ours = tuple(transform for transform in ours if transform.id != Integ.NONE)
    if kind is TransformType.KE and preferred_ke is not None:
        ours = tuple(sorted(ours, key=lambda transform: transform.id != preferred_ke))
    available = set(theirs)
    for transform in ours:
        if transform in available and (_is_none(transform) or supported(transform)):
            if kind is TransformType.ENCR and not _has_integrity(offered, template, transform):
                continue
            return transform
    return None


def _has_integrity(offered: Proposal, template: Proposal, encr: Transform) -> bool:
    """Whether this cipher can be had with an integrity algorithm, or needs none."""
    theirs = {transform.id for transform in _alternatives(offered, TransformType.INTEG)}
    if _is_aead(encr):
        return int(Integ.NONE) in theirs
    ours = {transform.id for transform in _alternatives(template, TransformType.INTEG)}
    return bool((theirs & ours) - {int(Integ.NONE)})


def _alternatives(proposal: Proposal, kind: TransformType) -> tuple[Transform, ...]:
    transforms = proposal.of_type(kind)
    if transforms or kind not in _ABSENT:
        return transforms
    return (_none_of(kind),)


def _none_of(kind: TransformType) -> Transform:
    ids = {TransformType.INTEG: Integ, TransformType.KE: KeyExchangeMethod, TransformType.ESN: Esn}
    return Transform(kind, ids[kind](_ABSENT[kind]))


def _is_aead(transform: Transform) -> bool:
    return transform.type is TransformType.ENCR and is_aead(Encr(transform.id))


def _is_none(transform: Transform) -> bool:
    return _ABSENT.get(transform.type) == transform.id


def _is_implied(transform: Transform, offered: Proposal) -> bool:
    """Whether the chosen transform is only the meaning of a type that was not offered."""
    return _is_none(transform) and not offered.of_type(transform.type)


def without_key_exchange(proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
    """The proposals without KE transforms: the first Child SA has none (RFC 7296 section 1.2)."""
    return tuple(
        Proposal(
            proposal.number,
            proposal.protocol,
            proposal.spi,
            tuple(one for one in proposal.transforms if one.type is not TransformType.KE),
        )
        for proposal in proposals
    )


def numbered(proposals: Sequence[Proposal], spi: bytes) -> tuple[Proposal, ...]:
    """Templates made into an offer: numbered from 1, with our SPI."""
    return tuple(
        Proposal(number, proposal.protocol, spi, proposal.transforms)
        for number, proposal in enumerate(proposals, 1)
    )


def check_choice(chosen: Sequence[Proposal], offered: Sequence[Proposal]) -> Proposal:
    """The responder's choice, which must be one proposal out of our offer, one transform a type.

    Raises NoProposalChosen where it is not (RFC 7296 section 3.3.6).
    """
    if len(chosen) != 1:
        raise NoProposalChosen(f"the responder answered with {len(chosen)} proposals, not one")
    choice = chosen[0]
    offer = next((one for one in offered if one.number == choice.number), None)
    if offer is None or offer.protocol != choice.protocol:
        raise NoProposalChosen(f"the responder chose {choice}, which was not offered")
    types = [transform.type for transform in choice.transforms]
    if len(set(types)) != len(types) or not set(choice.transforms) <= set(offer.transforms):
        raise NoProposalChosen(f"the responder chose {choice}, which is not a part of {offer}")
    missing = {transform.type for transform in offer.transforms} - set(types)
    for kind in missing:
        if _none_of_or_nothing(kind) not in offer.of_type(kind):
            raise NoProposalChosen(f"the responder's choice {choice} has no {kind.name}")
    return choice


def _none_of_or_nothing(kind: TransformType) -> Transform | None:
    return _none_of(kind) if kind in _ABSENT else None


def explain_mismatch(offered: Sequence[Proposal], configured: Sequence[Proposal]) -> str:
    """One sentence: what differs first, what was offered, what would have been accepted."""
    reasons = [
        _first_difference(one, template)
        for template in configured[:_MAX_EXPLAINED]
        for one in offered[:_MAX_EXPLAINED]
    ]
    ranked = sorted((reason for reason in reasons if reason), key=lambda reason: -reason[0])
    difference = f"{ranked[0][1]}; " if ranked else ""
    return f"{difference}the peer offered {_some(offered)}; we accept {_some(configured)}"


def _some(proposals: Sequence[Proposal]) -> str:
    texts = [str(one) for one in proposals[:_MAX_EXPLAINED]]
    texts = [
        text if len(text) <= _MAX_EXPLAINED_TEXT else f"{text[:_MAX_EXPLAINED_TEXT]}..."
        for text in texts
    ]
    if len(proposals) > _MAX_EXPLAINED:
        texts.append(f"and {len(proposals) - _MAX_EXPLAINED} more")
    return "; ".join(texts) or "nothing"


def _first_difference(offered: Proposal, template: Proposal) -> tuple[int, str] | None:
    """How many types agree, and the first type that does not."""
    if offered.protocol != template.protocol:
        return 0, f"the protocol differs: {offered.protocol.name} against {template.protocol.name}"
    for agreed, kind in enumerate(TYPES.get(offered.protocol, ()), 1):
        theirs = _alternatives(offered, kind)
        ours = _alternatives(template, kind)
        if not set(theirs) & set(ours):
            return agreed, f"no common {kind.name}: {_listed(theirs)} against {_listed(ours)}"
    return None


def _listed(transforms: Sequence[Transform]) -> str:
    return "|".join(str(transform) for transform in transforms[:16]) or "none"


def narrow(
    offered: Sequence[TrafficSelector | UnknownSelector], configured: Sequence[TrafficSelector]
) -> Selectors:
    """What both want: the intersections, in the order offered, without what others contain.

    Unknown kinds of selectors are passed over (RFC 7296 section 2.9). Empty when nothing is left.
    """
    common: list[TrafficSelector] = []
    for theirs in offered:
        if not isinstance(theirs, TrafficSelector):
            continue
        for ours in configured:
            both = theirs.intersect(ours)
            if both is None or (common and any(one.contains(both) for one in common)):
                continue
            common = [one for one in common if not both.contains(one)]
            common.append(both)
            if len(common) == MAX_SELECTORS:
                return tuple(common)
    return tuple(common)


def with_trigger(
    trigger: Trigger, local: Selectors, remote: Selectors
) -> tuple[Selectors, Selectors]:
    """An initiator's selectors, before all others what fits the packet that triggers the exchange.

    A responder that narrows them then knows what is needed (RFC 7296 section 2.9). A packet that
    is not to be protected at all goes without saying.
    """
    inside = any(one.contains(trigger.source) for one in local)
    if not inside or not any(one.contains(trigger.destination) for one in remote):
        return local, remote
    return _led_by(trigger.source, local), _led_by(trigger.destination, remote)


def _led_by(first: TrafficSelector, others: Selectors) -> Selectors:
    left = (one for one in others if one != first)
    return (first, *left)[:MAX_SELECTORS]


def without_contained(selectors: Selectors) -> Selectors:
    """The selectors that are not within another of them, in their order."""
    if len(selectors) < 2:
        return selectors
    return narrow(selectors, selectors)


def check_narrowed(
    answered: Sequence[TrafficSelector | UnknownSelector], offered: Sequence[TrafficSelector]
) -> Selectors:
    """The responder's selectors, each of which must lie within our offer.

    Raises TsUnacceptable where it widened them (RFC 7296 section 2.9).
    """
    selectors = tuple(one for one in answered if isinstance(one, TrafficSelector))
    for one in selectors:
        if not any(ours.contains(one) for ours in offered):
            raise TsUnacceptable(f"the responder widened the traffic selectors to {one}")
    if not selectors:
        raise TsUnacceptable("the responder narrowed the traffic selectors to nothing")
    return selectors


def listed(selectors: Iterable[TrafficSelector | UnknownSelector]) -> str:
    """Traffic selectors for a sentence."""
    return ", ".join(str(one) for one in selectors) or "nothing"
