"""What an operator is told when a negotiation fails: the cause as far as this end can know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.iana import NotifyType
from ikeactors.wire.identities import Identity
from ikeactors.wire.proposals import Proposal

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def refused_init(association: Association, error: NotifyType, offer: tuple[Proposal, ...]) -> str:
    """Why IKE_SA_INIT was refused."""
    peer = association.remote
    if error is NotifyType.NO_PROPOSAL_CHOSEN:
        offered = "; ".join(str(proposal) for proposal in offer)
        return (
            f"the peer {peer} answered NO_PROPOSAL_CHOSEN: it has no connection for us, or none of "
            f"our proposals is acceptable to it. We offered {offered}. Its log says what it would "
            f"accept"
        )
    if error is NotifyType.INVALID_MAJOR_VERSION:
        return (
            f"the peer {peer} answered INVALID_MAJOR_VERSION: it does not speak IKEv2, or not for "
            f"this connection"
        )
    return f"the peer {peer} answered IKE_SA_INIT with {error.name}"


def refused_auth(association: Association, error: NotifyType | None, local: Identity) -> str:
    """Why IKE_AUTH was answered without the peer's proof."""
    peer = association.remote
    if error is None:
        return f"the peer {peer} answered IKE_AUTH without proving who it is"
    if error is NotifyType.AUTHENTICATION_FAILED:
        wanted = association.connection.remote.id.identity
        called = f", it is not {wanted}, as we ask for" if wanted else ""
        key = "the pre-shared key is not the same on both ends"
        if association.connection.local.by_public_key:
            key = "it does not accept our certificate or signature"
        elif association.connection.local.is_null:
            key = "it takes nobody who does not authenticate"
        ppk = association.connection.ppk_id
        if ppk is not None and ppk.identity is not None:
            key += f", or the post-quantum pre-shared key {ppk.identity} is not"
        return (
            f"the peer {peer} answered AUTHENTICATION_FAILED: it does not know us as {local}"
            f"{called}, or {key}. Its log says which"
        )
    return f"the peer {peer} answered IKE_AUTH with {error.name} and without its proof"


def refused_child(association: Association, error: NotifyType | None, offered: str) -> str:
    """Why the peer made no Child SA of our offer; `offered` says what that was."""
    peer = association.remote
    if error is NotifyType.TS_UNACCEPTABLE:
        return (
            f"the peer {peer} answered TS_UNACCEPTABLE: none of its children has these traffic "
            f"selectors. We asked for {offered}. Its log says what it is configured for"
        )
    if error is NotifyType.NO_PROPOSAL_CHOSEN:
        return (
            f"the peer {peer} answered NO_PROPOSAL_CHOSEN for the Child SA: none of our ESP "
            f"proposals is acceptable to it, or its kernel refused. We asked for {offered}"
        )
    if error is NotifyType.SINGLE_PAIR_REQUIRED:
        return (
            f"the peer {peer} answered SINGLE_PAIR_REQUIRED: it takes a Child SA for each pair of "
            f"addresses only. Configure a child for each pair. We asked for {offered}"
        )
    return f"the peer {peer} answered {error.name if error else 'nothing'} for the Child SA"
