"""Who outside of the daemon follows a child: a script, sets of nftables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.actions import FollowChildSa, UnfollowChildSa
from ikeactors.protocol.ikev2.phases import Established

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.child_sa import ChildSa


def tell_up(association: Association, child: ChildSa, *, again: bool = False) -> None:
    """It carries traffic from now on."""
    phase = association.phase
    if not child.settings.is_followed or not isinstance(phase, Established):
        return
    agreement, path = child.agreement, association.path
    association.emit(
        FollowChildSa(
            connection=association.connection.name,
            settings=child.settings,
            number=child.number,
            local=path.local,
            remote=path.remote,
            local_id=str(phase.local),
            remote_id=str(phase.remote),
            local_ts=agreement.local_ts,
            remote_ts=agreement.remote_ts,
            protocol=agreement.suite.protocol,
            reqid=child.reqid,
            encapsulated=path.encapsulated,
            again=again,
        )
    )


def tell_down(association: Association, child: ChildSa) -> None:
    """It carries no more."""
    if child.settings.is_followed:
        association.emit(UnfollowChildSa(child.name))
