"""Which steps are worth a worker: those with slow public-key work, or with a
puzzle (see the performance notes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    Event,
    IdentityClaimed,
    KernelRefused,
    LocalAddressesChanged,
    NameChecked,
    RevocationChecked,
    SaMappingChanged,
    SignedByToken,
    UsageReported,
)
from ikeactors.protocol.ikev2.groups import group_of, is_slow, offered_groups
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.phases import Authenticating, Fresh

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def is_heavy(association: Association, event: Event) -> bool:
    """Whether this step may compute in a slow group. What is inside of SK is not looked at."""
    if isinstance(event, _LIGHT):
        return False
    if isinstance(association.phase, InitSent) and association.phase.demands.is_solving:
        return True
    if isinstance(association.phase, Authenticating) and association.phase.work is not None:
        return True
    if isinstance(association.phase, InitAnswered):
        return association.phase.is_slow
    if association.ike_sas.exists:
        return is_slow(association.ike_sa.suite.ke)
    if isinstance(event, DatagramReceived) and isinstance(association.phase, Fresh):
        return is_slow(group_of(event.octets))
    return any(is_slow(group) for group in offered_groups(association.connection.proposals)[:1])


_LIGHT = (
    ChildSaInstalled,
    KernelRefused,
    IdentityClaimed,
    RevocationChecked,
    NameChecked,
    SignedByToken,
    UsageReported,
    SaMappingChanged,
    LocalAddressesChanged,
)
