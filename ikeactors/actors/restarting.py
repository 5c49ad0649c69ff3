"""What the next negotiation of a connection has to bring up, and from where to where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ikeactors.actors.names import Unresolved
from ikeactors.errors import Fault
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.settings import ConnectionSettings, DownAction
from ikeactors.protocol.snapshot import AssociationSnapshot
from ikeactors.protocol.surroundings import IKE_PORT

Resolve = Callable[[str], Awaitable[tuple[Address, ...]]]


async def no_names(name: str) -> tuple[Address, ...]:
    """Where no name is resolved."""
    raise Unresolved(f"{name} does not resolve: names are not looked up here")


class Unreachable(Fault):
    """There is no way to a peer now; the text says why."""


class Locator:
    """From where to where an initiator's messages go: what is configured, what names resolve to,
    and what the routes say."""

    def __init__(
        self,
        source_for: Callable[[Address], Address | None],
        ike_port: int,
        resolve: Resolve = no_names,
    ) -> None:
        self._source_for = source_for
        self._ike_port = ike_port
        self._resolve = resolve

    async def ends(
        self, connection: ConnectionSettings, known: Endpoint | None, attempt: int
    ) -> tuple[Endpoint, Endpoint]:
        """Our end and the peer's. Raises `Unreachable`.

        `known` is where the peer was, for a connection that does not say where it is. Of several
        addresses of a name each attempt takes the next.
        """
        try:
            remotes = await self._remotes(connection, known)
            named = [one for name in connection.local_names for one in await self._resolve(name)]
        except Unresolved as fault:
            raise Unreachable(str(fault)) from None
        ways = [
            (local, remote)
            for remote in remotes
            if (local := self.local(connection, remote.address, tuple(named))) is not None
        ]
        if not ways:
            raise Unreachable("no route leads to " + " or ".join(map(str, remotes)))
        return ways[attempt % len(ways)]

    async def _remotes(
        self, connection: ConnectionSettings, known: Endpoint | None
    ) -> tuple[Endpoint, ...]:
        if not is_named(connection):
            remote = single_remote(connection) or known
            assert remote is not None
            return (remote,)
        found = await self._resolve(connection.remote_names[0])
        return tuple(Endpoint(one, connection.remote_port) for one in found)

    def local(
        self, connection: ConnectionSettings, remote: Address, named: tuple[Address, ...] = ()
    ) -> Endpoint | None:
        """Our end towards `remote`; None when no route leads there."""
        single = (one.single for one in connection.local_addrs)
        ours = [*(one for one in single if one is not None), *named]
        fitting = [one for one in ours if one.version == remote.version]
        address = fitting[0] if fitting else self._source_for(remote)
        if address is None or address.is_unspecified:
            return None
        default = connection.local_port == IKE_PORT
        return Endpoint(address, self._ike_port if default else connection.local_port)


def is_named(connection: ConnectionSettings) -> bool:
    """Whether the peer is to be called by its DNS name."""
    return len(connection.remote_names) == 1 and not connection.remote_addrs


def single_remote(connection: ConnectionSettings) -> Endpoint | None:
    """The one place where the connection's peer can be called."""
    if len(connection.remote_addrs) != 1 or connection.remote_names:
        return None
    address = connection.remote_addrs[0].single
    if address is None or address.is_unspecified:
        return None
    return Endpoint(address, connection.remote_port)


def started_children(connection: ConnectionSettings) -> tuple[str, ...]:
    """The children that are to be up always."""
    return tuple(child.name for child in connection.children if child.start_action.starts)


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
    return union(names, _lost(connection, wanted, failure, DownAction.START))


def children_to_trap(
    connection: ConnectionSettings, wanted: tuple[str, ...], failure: str
) -> tuple[str, ...]:
    """Those of the children that were lost so which a packet is to bring up again."""
    return _lost(connection, wanted, failure, DownAction.TRAP)


def _lost(
    connection: ConnectionSettings, wanted: tuple[str, ...], failure: str, action: DownAction
) -> tuple[str, ...]:
    lost = (child for child in connection.children if child.name in wanted)
    actions = ((child.name, child.dpd_action if failure else child.close_action) for child in lost)
    return tuple(name for name, wished in actions if wished is action)


def children_of(snapshot: AssociationSnapshot) -> tuple[str, ...]:
    """The names of the Child SAs of an association."""
    return tuple(dict.fromkeys(child.name for child in snapshot.children))


def union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Both, in order, each name once."""
    return tuple(dict.fromkeys((*one, *other)))
