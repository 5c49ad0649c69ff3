"""Which connection a peer may use: first by its offer, then by the identities."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.errors import AuthenticationFailed, NoProposalChosen
from ikeactors.iana import AuthMethod, KeyExchangeMethod
from ikeactors.protocol.choosing import explain_mismatch, find_proposal
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.authentication import identity_of
from ikeactors.protocol.patterns import owner_of
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.proposals import Proposal

# Ours: connections between the same identities whose children are compared, the first ones.
MAX_EQUALS = 64

Connections = tuple[ConnectionSettings, ...]


def choose_by_offer(
    candidates: Connections, offered: tuple[Proposal, ...], method: KeyExchangeMethod
) -> tuple[Connections, Proposal]:
    """The choice of the first connection that takes the offer, and all that take this choice.

    Who the peer is, and so which of them it may use, shows only in IKE_AUTH.
    """
    lists = _distinct(candidates)
    for proposals in lists:
        choice = find_proposal(offered, proposals, method)
        if choice is not None:
            taking = {id(one) for one in lists if one is proposals or find_proposal((choice,), one)}
            return tuple(one for one in candidates if id(one.proposals) in taking), choice
    raise NoMatch(candidates, offered)


class NoMatch(NoProposalChosen):
    """No candidate takes the offer; why is worked out only where somebody is told."""

    def __init__(self, candidates: Connections, offered: tuple[Proposal, ...]) -> None:
        super().__init__()
        self._candidates = candidates
        self._offered = offered

    def __str__(self) -> str:
        ours = (proposal for proposals in _distinct(self._candidates) for proposal in proposals)
        return explain_mismatch(self._offered, tuple(dict.fromkeys(ours)))


def _distinct(candidates: Connections) -> tuple[tuple[Proposal, ...], ...]:
    """The candidates' proposals, each list once: thousands of connections share a few."""
    return tuple({id(one.proposals): one.proposals for one in candidates}.values())


def of_method(connections: Connections, method: AuthMethod) -> Connections:
    """Those for peers that do not authenticate, for one that does not, and else the others.

    Where there is none of a kind the other remains, to say why not (RFC 7619 section 2.4).
    """
    is_null = method is AuthMethod.NULL
    return tuple(one for one in connections if one.remote.is_null is is_null) or connections


def choose_by_identity(
    connections: tuple[ConnectionSettings, ...],
    remote: Identity,
    wanted_local: Identity | None,
    local_address: Address,
    fitness: Callable[[ConnectionSettings], int] = lambda connection: 0,
) -> ConnectionSettings:
    """The connection whose identities fit best.

    Between equals `fitness` decides, which is how well one's children fit what is asked for, and
    then the configuration's order. Raises AuthenticationFailed with what was compared.
    """
    best: list[ConnectionSettings] = []
    best_quality = 0
    for connection in connections:
        quality = connection.remote.id.quality(remote)
        if wanted_local is not None and quality:
            local = identity_of(connection.local, local_address)
            quality = 4 * quality if owner_of(local) == owner_of(wanted_local) else 0
        if quality > best_quality:
            best, best_quality = [connection], quality
        elif quality and quality == best_quality and len(best) < MAX_EQUALS:
            best.append(connection)
    if not best:
        tried = ", ".join(connection.name for connection in connections)
        wanted = f" and asks for {wanted_local}" if wanted_local else ""
        raise AuthenticationFailed(
            f"the peer says it is {remote}{wanted}, which fits no connection (compared: {tried})"
        )
    return best[0] if len(best) == 1 else max(best, key=fitness)
