"""IP compression, negotiated beside a Child SA, in both roles (RFC 7296 section 2.22).

    HDR, SK {..., SA, TSi, TSr, N(IPCOMP_SUPPORTED)}  -->
                                    <--  HDR, SK {..., SA, TSi, TSr, N(IPCOMP_SUPPORTED)}

Each end names the CPI that it wants to receive with. Linux has DEFLATE alone
(RFC 2394 section 1), so nothing else is offered or taken. Who declines says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ikeactors.errors import InvalidSyntax, NoProposalChosen
from ikeactors.iana import IpCompression, NotifyType
from ikeactors.protocol.choosing import Selectors
from ikeactors.protocol.settings import ChildSettings
from ikeactors.wire.message import notifies
from ikeactors.wire.notify import read_compression, write_compression
from ikeactors.wire.payload import Notify, Payload

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# The specification's: these are for who negotiates (RFC 3173 section 3.3).
_FIRST_CPI, _LAST_CPI = 256, 61439

# The CPI that we receive with, and the peer's; 0 where nothing is compressed.
Cpis = tuple[int, int]
NOTHING: Cpis = (0, 0)


def wanted(
    association: Association, settings: ChildSettings, selectors: Iterable[Selectors]
) -> int:
    """The CPI of an offer, or 0 where none is made.

    What is in the tunnel must be of the family that carries it: Linux finds no SA for the rest.
    """
    version = association.remote.address.version
    families = {one.start.version for side in selectors for one in side}
    may = settings.ipcomp and association.surroundings.compresses
    return _fresh_cpi(association) if may and families == {version} else 0


def notify_of(cpi: int) -> tuple[Notify, ...]:
    """What an offer or an answer says of it."""
    if not cpi:
        return ()
    data = write_compression(cpi, IpCompression.DEFLATE)
    return (Notify(NotifyType.IPCOMP_SUPPORTED, data),)


def accepted(payloads: Sequence[Payload], cpi: int) -> Cpis:
    """What the responder made of our offer. Raises NoProposalChosen where that is no part of it."""
    taken = [read_compression(one.data) for one in notifies(payloads, NotifyType.IPCOMP_SUPPORTED)]
    if not taken:
        return NOTHING
    if not cpi or len(taken) > 1 or taken[0][1] != IpCompression.DEFLATE:
        raise NoProposalChosen("the responder chose a compression that was not offered")
    return cpi, taken[0][0]


def demanded(
    association: Association,
    settings: ChildSettings,
    payloads: Sequence[Payload],
    selectors: Iterable[Selectors],
) -> Cpis:
    """What the responder makes of an offer; one that cannot be read is declined."""
    for offer in notifies(payloads, NotifyType.IPCOMP_SUPPORTED):
        try:
            theirs, algorithm = read_compression(offer.data)
        except InvalidSyntax:
            continue
        if algorithm == IpCompression.DEFLATE:
            ours = wanted(association, settings, selectors)
            return (ours, theirs) if ours else NOTHING
    return NOTHING


def _fresh_cpi(association: Association) -> int:
    """Chance decides: for another association's the kernel says that it is there already."""
    taken = {child.inbound.cpi for child in association.children}
    span = _LAST_CPI - _FIRST_CPI + 1
    while True:
        octets = association.surroundings.entropy.octets(4)
        cpi = _FIRST_CPI + int.from_bytes(octets, "big") % span
        if cpi not in taken:
            return cpi
