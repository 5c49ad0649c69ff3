"""Two IKE SAs of one peer, while it reauthenticates: the new Child SAs stand beside the old ones.

The new ones take the reqids of those for the same traffic, so that what comes in by either is let
in under the one policy there is. Where the peer has made them, we go on sending by the old ones
until it can receive by the new: it says so with an empty request on the new IKE SA, the old one
ends, or it answers ours when it can have no request under way any more. Its next CREATE_CHILD_SA
says nothing: it may leave before what came of the last exchange is installed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import Renewed
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.installing import install_outbound, stop_sending
from ikeactors.protocol.settings import ChildSettings
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.protection import Opened

# Ours: seconds that an IKE SA which is reauthenticated has until the peer deletes it: the new Child
# SAs come one after the other. Nothing is rekeyed meanwhile, which would be newer than those.
RENEWED_WITHIN = 15.0
# Ours: seconds until nothing is under way by a Child SA that is not used any more.
DRAINED_AFTER = 1.0


class SettledInitiator:
    """The peer may have given up what it has not heard of: does it know the new IKE SA still?"""

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ("_on",)

    def __init__(self) -> None:
        self._on: IkeSa | None = None

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """Nothing but the envelope."""
        self._on = ike_sa
        return ()

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """It does, so it has what it asked for, unless it has asked for more meanwhile."""
        if not _is_waiting(association):
            use_new(association)

    def abandoned(self, association: Association, reason: str) -> None:
        """It does not, or it has rekeyed it: then its successor is asked."""
        if association.ike_sas.outlive(self._on):
            ask(association)


class Overlap:
    """The Child SAs of the older IKE SA; `is_lost` where the newer is not to stay.

    `is_ours` where this end has begun it, and is to delete the older.
    """

    __slots__ = ("is_lost", "is_ours", "older")

    def __init__(self, older: tuple[ChildSnapshot, ...], *, is_ours: bool = False) -> None:
        self.older = older
        self.is_ours = is_ours
        self.is_lost = False

    def reqid(self, settings: ChildSettings, agreement: Agreement) -> int | None:
        """The reqid of the older Child SA for the same traffic."""
        local_ts = tuple(str(one) for one in agreement.local_ts)
        remote_ts = tuple(str(one) for one in agreement.remote_ts)
        same = (
            one.reqid
            for one in self.older
            if (one.name, one.local_ts, one.remote_ts) == (settings.name, local_ts, remote_ts)
        )
        return next(same, None)


def ask(association: Association) -> None:
    """The peer has said nothing for as long as it may ask again for what it has not heard of."""
    association.ike_sa.ask(association, SettledInitiator())


def use_new(association: Association) -> None:
    """The peer receives by the new Child SAs: send by them."""
    association.timers.stop(Timer.OVERLAP)
    if association.overlap is not None and association.overlap.is_lost:
        return
    for child in association.children:
        waits = child.state is ChildState.INSTALLED and not child.outbound_installed
        if waits and association.children.replaced_by(child) is None:
            install_outbound(association, child)


def send_instead(association: Association, gone: ChildSa, left: ChildSa) -> None:
    """Send by the one that is left of two, unless neither does before the peer is known to know."""
    if gone.outbound_installed or not _is_waiting(association):
        install_outbound(association, left)


def _is_waiting(association: Association) -> bool:
    """Whether an answer may be under way still that the peer needs in order to receive."""
    return association.timers.due_at(Timer.OVERLAP) < math.inf


def hold(association: Association) -> None:
    """It is being reauthenticated: what is due to be rekeyed waits for what comes of that."""
    association.timers.start(Timer.RENEWED, association.now + RENEWED_WITHIN)


def is_held(association: Association) -> bool:
    """Whether another IKE SA is about to take its place: no Child SA of this one is made anew."""
    return association.now < association.timers.due_at(Timer.RENEWED) < math.inf


def renewed(association: Association, event: Renewed) -> None:
    """The peer makes another in the place of this one, or this one has lost against ours."""
    hold(association)
    if event.is_lost and association.overlap is not None:
        association.overlap.is_lost = True
        _stop_sending(association)
    if event.ends and association.timers.due_at(Timer.OUTLIVED) == math.inf:
        association.timers.start(Timer.OUTLIVED, association.now + RENEWED_WITHIN)


def go_on(association: Association) -> None:
    """The peer has given up what it had begun in the place of this one."""
    association.timers.stop(Timer.RENEWED)
    association.timers.stop(Timer.OUTLIVED)


def retreat(association: Association) -> None:
    """Of two IKE SAs this one is not to stay: do not send by it any more, and delete it when
    nothing is under way by it."""
    hold(association)
    association.ike_sa.abandon_queue(association, "another IKE SA has taken its place")
    if association.overlap is not None:
        association.overlap.is_lost = True
    association.timers.start(Timer.SUPERSEDED, association.now + DRAINED_AFTER)
    _stop_sending(association)


def _stop_sending(association: Association) -> None:
    for child in association.children:
        if child.is_up:
            stop_sending(association, child)


def end(association: Association) -> None:
    """The older IKE SA is gone."""
    if association.overlap is not None and not association.overlap.is_lost:
        association.overlap = None
        use_new(association)
