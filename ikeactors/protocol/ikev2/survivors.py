"""What is left of two Child SAs that both ends have made at once, when the other one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.ikev2 import overlap, twins
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.installing import install_outbound, stop_sending
from ikeactors.protocol.ikev2.requests import Request

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Where a Child SA may be that another one of the same traffic leaves behind.
_LEFT = (ChildState.INSTALLED, ChildState.REKEYING, ChildState.REDUNDANT)
# Where one that sends goes on doing so, itself or by what comes in its place.
_SERVING = (ChildState.INSTALLED, ChildState.REKEYING, ChildState.REKEYED)


def hand_over(association: Association, child: ChildSa) -> None:
    """Of two that were made at once the other one sends from now on."""
    children = association.children
    others = twins.beside(children, child)
    left = [one for one in others if one.state in _LEFT and children.replaced_by(one) is None]
    if not left or any(one.state in _SERVING and one.outbound_installed for one in others):
        return
    if not left[0].is_up:
        children.went_up(left[0], child)
    overlap.send_instead(association, child, left[0])


def keep(association: Association, child: ChildSa) -> None:
    """The peer does not delete what it has made at once with ours: ours goes.

    It is another one than we: whoever has made an SA deletes it (RFC 7296 section 2.8.1). Ours does
    not send any more, whether or not the peer hears of that.
    """
    children = association.children
    ours = tuple(one for one in twins.beside(children, child) if one.is_up)
    children.went_up(child, child)
    install_outbound(association, child)
    for one in ours:
        # What is being negotiated in its place is not wanted either.
        one.unwanted = True
        stop_sending(association, one)
    children.ask_to_delete(ours, Request(None))
