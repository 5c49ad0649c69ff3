"""What the next negotiation of a connection has to bring up, and from where to where."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.settings import ConnectionSettings, DownAction, StartAction
from ikeactors.protocol.snapshot import AssociationSnapshot
from ikeactors.protocol.surroundings import IKE_PORT


class Locator:
    """Where an initiator's messages leave from: what is configured, or what the routes say."""

    def __init__(self, source_for: Callable[[Address], Address | None], ike_port: int) -> None:
        self._source_for = source_for
        self._ike_port = ike_port

    def local(self, connection: ConnectionSettings, remote: Address) -> Endpoint | None:
        """Our end towards `remote`; None when no route leads there."""
        ours = [one.single for one in connection.local_addrs if one.single is not None]
        fitting = [one for one in ours if one.version == remote.version]
        address = fitting[0] if fitting else self._source_for(remote)
        if address is None or address.is_unspecified:
            return None
        default = connection.local_port == IKE_PORT
        return Endpoint(address, self._ike_port if default else connection.local_port)


def single_remote(connection: ConnectionSettings) -> Endpoint | None:
    """The one place where the connection's peer can be called."""
    if len(connection.remote_addrs) != 1:
        return None
    address = connection.remote_addrs[0].single
    if address is None or address.is_unspecified:
        return None
    return Endpoint(address, connection.remote_port)


def started_children(connection: ConnectionSettings) -> tuple[str, ...]:
    """The children that are to be up always."""
    return tuple(
        child.name for child in connection.children if child.start_action is StartAction.START
    )


def children_to_restore(
    connection: ConnectionSettings, wanted: tuple[str, ...], failure: str, was_established: bool
) -> tuple[str, ...]:
    """What is to be brought up again after an IKE SA has failed, or was closed by its peer.

    Children with start_action "start" in any case; of those that were wanted and lost, the ones
    whose dpd_action or close_action says so.
    """
    names = started_children(connection)
    if not was_established:
        return names
    lost = (child for child in connection.children if child.name in wanted)
    actions = ((child.name, child.dpd_action if failure else child.close_action) for child in lost)
    return union(names, tuple(name for name, action in actions if action is DownAction.START))


def children_of(snapshot: AssociationSnapshot) -> tuple[str, ...]:
    """The names of the Child SAs of an association."""
    return tuple(dict.fromkeys(child.name for child in snapshot.children))


def union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Both, in order, each name once."""
    return tuple(dict.fromkeys((*one, *other)))
