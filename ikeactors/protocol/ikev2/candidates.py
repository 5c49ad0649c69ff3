"""Which connection a peer may use: first by its offer, then by the identities."""

from __future__ import annotations

from ikeactors.errors import AuthenticationFailed, NoProposalChosen
from ikeactors.iana import KeyExchangeMethod
from ikeactors.protocol.choosing import choose_proposal, explain_mismatch
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.authentication import identity_of
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.proposals import Proposal

Connections = tuple[ConnectionSettings, ...]


def choose_by_offer(
    candidates: Connections, offered: tuple[Proposal, ...], method: KeyExchangeMethod
) -> tuple[Connections, Proposal]:
    """The choice of the first connection that takes the offer, and all that take this choice.

    Who the peer is, and so which of them it may use, shows only in IKE_AUTH.
    """
    for place, connection in enumerate(candidates):
        try:
            choice = choose_proposal(offered, connection.proposals, method)
        except NoProposalChosen:
            continue
        others = candidates[place + 1 :]
        return (connection, *(one for one in others if _takes(one, choice))), choice
    ours = tuple(proposal for one in candidates for proposal in one.proposals)
    raise NoProposalChosen(explain_mismatch(offered, tuple(dict.fromkeys(ours))))


def _takes(connection: ConnectionSettings, choice: Proposal) -> bool:
    try:
        choose_proposal((choice,), connection.proposals)
    except NoProposalChosen:
        return False
    return True


def choose_by_identity(
    connections: tuple[ConnectionSettings, ...],
    remote: Identity,
    wanted_local: Identity | None,
    local_address: Address,
) -> ConnectionSettings:
    """The connection whose identities fit best; the configuration's order decides between equals.

    Raises AuthenticationFailed with what was compared.
    """
    best: ConnectionSettings | None = None
    best_quality = 0
    for connection in connections:
        quality = connection.remote.id.quality(remote)
        if wanted_local is not None and quality:
            local = identity_of(connection.local, local_address)
            quality = 4 * quality if _same(local, wanted_local) else 0
        if quality > best_quality:
            best, best_quality = connection, quality
    if best is None:
        tried = ", ".join(connection.name for connection in connections)
        wanted = f" and asks for {wanted_local}" if wanted_local else ""
        raise AuthenticationFailed(
            f"the peer says it is {remote}{wanted}, which fits no connection (compared: {tried})"
        )
    return best


def _same(ours: Identity, theirs: Identity) -> bool:
    return ours.type == theirs.type and ours.data.lower() == theirs.data.lower()
