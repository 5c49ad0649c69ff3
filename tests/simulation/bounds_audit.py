"""What holds for all that waits in a host: S8 of the invariants, looked at every second."""

from __future__ import annotations

from collections.abc import Iterator

from ikeactors.actors.budgets import HOARD_LIMIT
from ikeactors.actors.mailbox import LIMIT as MAILBOX_LIMIT
from ikeactors.actors.router import STRANGERS_LIMIT
from ikeactors.actors.workers import QUEUE_LIMIT
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.collisions import MAX_REMEMBERED
from ikeactors.protocol.ikev2.create_child_sa import MAX_CHILDREN
from ikeactors.protocol.timers import Timer
from tests.simulation.host import Host

# Answers of the kernel and of the registry, that are owed and come above what the network sends.
_OWED = 16
# More than a handful of children and all that operators ask of them in a run.
_EXCHANGES = 64

_OF_CHILD_SAS = frozenset({Timer.CHILD_REKEY, Timer.CHILD_EXPIRE, Timer.CHILD_RETIRE})
# A first IKE SA has the number 0 before it is made.
_OF_IKE_SAS = frozenset({Timer.IKE_RETIRE, Timer.REASSEMBLY})


def unbounded(host: Host) -> Iterator[str]:
    """Each queue that is too long, and each timer that is nobody's."""
    parts = host.daemon
    lengths = (
        ("strangers", parts.router.statistics().waiting, STRANGERS_LIMIT),
        ("jobs", parts.workers.statistics().waiting, QUEUE_LIMIT),
        ("octets of fragments", parts.router.budgets.hoard.octets, HOARD_LIMIT),
        ("alarms", parts.alarms.statistics().pending, len(list(parts.registry.census))),
    )
    for name, length, limit in lengths:
        if length > limit:
            yield f"{length} {name}, {limit} are allowed"
    for peer in parts.registry.census:
        if len(peer.mailbox) > MAILBOX_LIMIT + _OWED:
            yield f"{len(peer.mailbox)} events wait for association {peer.number}"
        if isinstance(peer.association, Association) and peer.shown is None:
            yield from _of(peer.association)


def _of(association: Association) -> Iterator[str]:
    children, ike_sas = association.children, association.ike_sas
    if len(children) > MAX_CHILDREN or len(children.early or ()) > MAX_REMEMBERED:
        yield f"{len(children)} Child SAs, and {len(children.early or ())} that were deleted early"
    for ike_sa in ike_sas:
        if len(ike_sa.queue) > _EXCHANGES:
            yield f"{len(ike_sa.queue)} exchanges wait for their turn"
    child_sas = {one.number for one in children}
    numbers = {one.number for one in ike_sas}
    for (timer, number), _ in association.timers.running:
        if timer in _OF_CHILD_SAS and number not in child_sas:
            yield f"{timer.value} of a Child SA that is not there"
        if timer is Timer.CHILD_CREATE and number not in children.wanted:
            yield f"{timer.value} of a Child SA that nobody wants"
        if timer in _OF_IKE_SAS and number not in numbers:
            yield f"{timer.value} of an IKE SA that is not there"
