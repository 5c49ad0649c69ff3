"""Where the peer is: floating to the ports of UDP encapsulation, and following a peer that moves.

(RFC 7296 section 2.23)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.kernel.requests import Mode
from ikeactors.protocol.actions import Level, MoveChildSa
from ikeactors.protocol.events import DatagramReceived, Endpoint, SaMappingChanged
from ikeactors.protocol.surroundings import IKE_PORT, NAT_PORT

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.child_sa import Path
    from ikeactors.protocol.ikev2.ike_sa import IkeSa


# Our end of a path and the peer's.
Ends = tuple[Endpoint, Endpoint]


def ends(association: Association) -> Ends:
    """The path of the IKE SA."""
    return association.local, association.remote


def float_ports(association: Association) -> None:
    """From here on both ends use the ports of UDP encapsulation."""
    association.local = replace(association.local, port=association.surroundings.nat_port)
    if association.remote.port == IKE_PORT:
        association.remote = replace(association.remote, port=NAT_PORT)


def heard(association: Association, ike_sa: IkeSa, datagram: DatagramReceived) -> None:
    """A fresh message is proven to be the peer's: it is alive, and there.

    With MOBIKE only UPDATE_SA_ADDRESSES moves it, so that other messages can try paths
    (RFC 4555 section 3.8).
    """
    association.last_heard_at = association.now
    local, remote = datagram.local, datagram.remote
    if association.half_open:
        association.local, association.remote = local, remote
    elif association.mobike is None and ike_sa is association.ike_sa and _may_move(association):
        _move(association, local, remote)


def follow_mapping(association: Association, event: SaMappingChanged) -> None:
    """The data plane has seen the peer's ESP, proven to be its, come from elsewhere.

    With MOBIKE the IKE SA stays where it is: no message but UPDATE_SA_ADDRESSES could take it back
    from where a late packet came from.
    """
    if not (association.established and _may_move(association)):
        return
    if association.mobike is None:
        _move(association, association.local, event.remote)
    else:
        move_children(association, replace(association.path, remote=event.remote))


def _may_move(association: Association) -> bool:
    """Only a peer behind a NAT moves, and only where we are not behind one ourselves."""
    return association.nat.remote and not association.nat.local


def _move(association: Association, local: Endpoint, remote: Endpoint) -> None:
    """Go on at another address or port, with all Child SAs."""
    if (local, remote) == (association.local, association.remote):
        return
    association.report(
        "peer-moved", f"the peer is now at {remote}, no longer at {association.remote}"
    )
    association.local, association.remote = local, remote
    move_children(association)


def move_children(association: Association, path: Path | None = None) -> None:
    """All Child SAs go where the IKE SA is, or elsewhere, but those bound to their addresses."""
    path = path or association.path
    for child in association.children:
        if child.is_on(path):
            continue
        if child.agreement.mode is Mode.TRANSPORT and not child.is_between(path):
            text = f"Child SA {child.name} stays where it was: in transport mode it cannot move"
            association.report("child-sa-not-moved", text, Level.WARNING)
            continue
        old, old_policies = child.installed_sas, child.installed_policies
        child.moved(association.connection, path)
        if old:
            association.emit(MoveChildSa(old, child.installed, old_policies, child.policies))
