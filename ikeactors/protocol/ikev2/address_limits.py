"""What a peer may have protected: the addresses of its certificate, where that names some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import TsUnacceptable
from ikeactors.protocol.choosing import Selectors, listed
from ikeactors.protocol.ikev2.phases import Established
from ikeactors.wire.selectors import ANY_PORT, ANY_PROTOCOL, TrafficSelector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: of a selector that is cut into more pieces the first ones are agreed on.
_MAX_PIECES = 64


def limited(association: Association, remote: Selectors) -> Selectors:
    """What of the peer's side is its own (RFC 3779 section 2)."""
    blocks = _blocks(association)
    if blocks is None:
        return remote
    pieces = (one.intersect(block) for one in remote for block in blocks)
    return tuple(one for one in pieces if one is not None)[:_MAX_PIECES]


def check_limits(association: Association, remote: Selectors) -> None:
    """What the peer has agreed to is its own. Raises TsUnacceptable."""
    blocks = _blocks(association)
    if blocks is None:
        return
    for one in remote:
        if not any(block.contains(one) for block in blocks):
            raise TsUnacceptable(f"the peer's side is {one}{explained(association)}")


def explained(association: Association) -> str:
    """The end of a refusal's sentence, where there are limits."""
    blocks = _blocks(association)
    if blocks is None:
        return ""
    return f"; the address blocks of its certificate are {listed(blocks) or 'none'}"


def _blocks(association: Association) -> Selectors | None:
    phase = association.phase
    if not isinstance(phase, Established) or phase.proof is None or phase.proof.blocks is None:
        return None
    return tuple(
        TrafficSelector(ANY_PROTOCOL, *ANY_PORT, first, last) for first, last in phase.proof.blocks
    )
