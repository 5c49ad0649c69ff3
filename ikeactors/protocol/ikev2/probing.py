"""The ways to the peer, and which of them works (RFC 4555 section 3.10).

When the way in use seems dead, the request that is not answered goes all other ways too, the same
octets each time: the answer comes by a way that works.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import Level
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.protocol.ikev2 import paths
from ikeactors.protocol.ikev2.mobike import own_addresses
from ikeactors.protocol.ikev2.update_addresses import update
from ikeactors.protocol.ikev2.window import Outstanding

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: from this retransmission on a way counts as dead. The first is lost now and then; with the
# defaults this is eleven seconds.
PROBE_AFTER = 2
# Ours: each way costs a datagram a retransmission.
MAX_WAYS = 16


def best_way(association: Association) -> paths.Ends | None:
    """The way to be used as far as this host's routes can tell; None where there is none."""
    return next(_ways(association), None)


def send_again(association: Association, outstanding: Outstanding) -> None:
    """No answer so far: once more, and when it is not the first time, all ways there are."""
    association.send(*outstanding.datagrams)
    if not _is_probing(association, outstanding):
        return
    here = paths.ends(association)
    others = [way for way in islice(_ways(association), MAX_WAYS) if way != here]
    if others and outstanding.tries == PROBE_AFTER:
        text = f"{association.remote} does not answer: {len(others)} other ways to it are tried"
        association.report("paths-probed", text, Level.WARNING)
    for local, remote in others:
        for octets in outstanding.datagrams:
            association.send_to(octets, local, remote)


def answered_by(
    association: Association, outstanding: Outstanding, datagram: DatagramReceived
) -> None:
    """The answer to what went several ways is here: the way that it came is taken."""
    came_by, here = (datagram.local, datagram.remote), paths.ends(association)
    if came_by == here or not _is_probing(association, outstanding):
        return
    if came_by not in islice(_ways(association), MAX_WAYS):
        return
    association.report("path-found", f"the peer is reached from {came_by[0]} at {came_by[1]}")
    association.local, association.remote = came_by
    update(association, here)


def _is_probing(association: Association, outstanding: Outstanding) -> bool:
    known = association.mobike
    return known is not None and known.decides and outstanding.tries >= PROBE_AFTER


def _ways(association: Association) -> Iterator[paths.Ends]:
    """The ways to the peer, the best first: the one in use as long as the routes lead there."""
    addresses = association.surroundings.addresses()
    local_port, remote_port = association.local.port, association.remote.port
    for remote in _remotes(association):
        for local in _sources(association, remote, addresses):
            yield Endpoint(local, local_port), Endpoint(remote, remote_port)


def _remotes(association: Association) -> dict[Address, None]:
    """Where the peer may be: where it is now, where it says it is, where it is configured."""
    known = association.mobike
    assert known is not None
    configured = (one.single for one in association.connection.remote_addrs)
    named = (one for one in configured if one is not None and not one.is_unspecified)
    return dict.fromkeys((association.remote.address, *known.peers, *named))


def _sources(
    association: Association, remote: Address, addresses: tuple[Address, ...]
) -> dict[Address, None]:
    """From where it may be reached there: none where no route leads."""
    routed = association.surroundings.source_for(remote)
    if routed is None:
        return {}
    connection, here = association.connection, association.local.address
    configured = tuple(one.single for one in connection.local_addrs if one.single in addresses)
    others = (here, *own_addresses(association, addresses))
    return dict.fromkeys(
        one
        for one in (*configured, routed, *others)
        if one.version == remote.version and one in addresses and connection.takes_local(one)
    )
