"""An association as data for status: what `ikeactors status` shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.phases import Authenticating, Closed, Established, Fresh
from ikeactors.protocol.snapshot import AssociationSnapshot, ChildSnapshot
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

_STATES: dict[type, str] = {
    Fresh: "fresh",
    InitSent: "connecting",
    InitAnswered: "half-open",
    Authenticating: "authenticating",
    Established: "established",
    Closed: "closed",
}


def snapshot_of(association: Association, now: float) -> AssociationSnapshot:
    """What the association looks like at this instant."""
    phase = association.phase
    spi_i = spi_r = suite = ""
    original_initiator = isinstance(phase, InitSent)
    state = _STATES[type(phase)]
    if association.ike_sas.exists:
        ike_sa = association.ike_sa
        spi_i, spi_r = ike_sa.spis.spi_i.hex(), ike_sa.spis.spi_r.hex()
        original_initiator, suite = ike_sa.spis.original_initiator, str(ike_sa.suite)
        if isinstance(phase, Established):
            state = ike_sa.state.value
    return AssociationSnapshot(
        connection=association.connection_name,
        version=2,
        state=state,
        local=str(association.local),
        remote=str(association.remote),
        local_id=str(phase.local) if isinstance(phase, Established) else "",
        remote_id=str(phase.remote) if isinstance(phase, Established) else "",
        spi_i=spi_i,
        spi_r=spi_r,
        original_initiator=original_initiator,
        suite=suite,
        nat_local=association.nat.local,
        nat_remote=association.nat.remote,
        age=now - association.created_at,
        rekey_in=_until(association.timers.due_at(Timer.IKE_REKEY), now),
        reauthenticate_in=_until(association.timers.due_at(Timer.IKE_REAUTH), now),
        children=_children(association, now),
    )


def _children(association: Association, now: float) -> tuple[ChildSnapshot, ...]:
    return tuple(
        child.snapshot(now, association.timers.due_at(Timer.CHILD_REKEY, child.number))
        for child in association.children
    )


def _until(due_at: float, now: float) -> float | None:
    return None if math.isinf(due_at) else due_at - now
