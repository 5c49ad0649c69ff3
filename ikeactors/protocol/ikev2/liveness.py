"""Liveness: is a peer that says nothing still there? (RFC 7296 section 2.4)

Its ESP says so as well as its IKE messages: only where neither came is it asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import QueryUsage
from ikeactors.protocol.events import Reply, UsageReported
from ikeactors.protocol.ikev2.informational import LivenessInitiator
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def check(association: Association) -> None:
    """The time of silence may be over: look for ESP, and without any ask the peer."""
    delay = association.connection.dpd_delay
    quiet_until = association.last_heard_at + delay
    if quiet_until > association.now:
        association.timers.start(Timer.LIVENESS, quiet_until)
        return
    association.timers.start(Timer.LIVENESS, association.now + delay)
    inbound = tuple(one.inbound.sa_id for one in association.children if one.inbound_installed)
    if not inbound:
        ask(association)
        return
    ticket = association.wait_for(TrafficLookedAt(association.last_heard_at))
    association.emit(QueryUsage(ticket, inbound))


@dataclass(frozen=True, slots=True)
class TrafficLookedAt:
    """The data plane was asked when the peer had last been heard at this instant."""

    heard_at: float

    def resumed(self, association: Association, event: Reply) -> None:
        """More octets than last time prove that the peer is alive.

        When an SA is replaced there are fewer than before, and the peer is asked once in vain.
        """
        assert isinstance(event, UsageReported)
        octets = sum(usage.octets for usage in event.usages)
        before, association.octets_heard = association.octets_heard, octets
        if octets <= before and association.last_heard_at == self.heard_at:
            ask(association)


def ask(association: Association) -> None:
    """Ask the peer whether it is there, unless an exchange that is under way does so."""
    if association.ike_sa.is_idle:
        association.ike_sa.ask(association, LivenessInitiator())
