"""An IKE SA that begins without a Child SA: RFC 6023, both roles.

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni  -->
                                 <--  HDR, SAr1, KEr, Nr,
                                          N(CHILDLESS_IKEV2_SUPPORTED)
    HDR, SK {IDi, [IDr,] AUTH}  -->
                                 <--  HDR, SK {IDr, AUTH}

Child SAs come by CREATE_CHILD_SA, with a key exchange of their own where they are to have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import InvalidSyntax, NoProposalChosen
from ikeactors.iana import NotifyType
from ikeactors.protocol.choices import Childless
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.wire.message import find, notifies, read_message
from ikeactors.wire.payload import Notify, SecurityAssociation

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.transcript import Transcript
    from ikeactors.protocol.settings import ChildSettings, ConnectionSettings


def announcement(connections: tuple[ConnectionSettings, ...]) -> Payloads:
    """The responder's notify in IKE_SA_INIT, unless no connection allows it (RFC 6023 section 3).

    Which of them the peer may use shows only in IKE_AUTH.
    """
    if all(one.childless is Childless.NEVER for one in connections):
        return ()
    return (Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED),)


def begins_childless(
    connection: ConnectionSettings, transcript: Transcript, first: ChildSettings | None
) -> bool:
    """Whether the initiator's IKE_AUTH asks for no Child SA (RFC 6023 section 4).

    `first` is the child it would ask for, if one is wanted. Never where the responder has not
    announced that it takes that. Raises NoProposalChosen where nothing else is to be done.
    """
    if first is not None and connection.childless not in (Childless.PREFER, Childless.FORCE):
        return False
    answer = read_message(transcript.response)
    supported = bool(notifies(answer.payloads, NotifyType.CHILDLESS_IKEV2_SUPPORTED))
    if not supported and first is None:
        raise NoProposalChosen(
            "the peer does not announce that it takes an IKE SA without a Child SA "
            "(CHILDLESS_IKEV2_SUPPORTED), and the one that was to be made anew had none"
        )
    if not supported and connection.childless is Childless.FORCE:
        raise NoProposalChosen(
            "the peer does not announce that it takes an IKE SA without a Child SA, and "
            f'connection {connection.name} says childless = "force"'
        )
    return supported


def check_absence(connection: ConnectionSettings, payloads: Payloads) -> None:
    """The responder does not take an IKE_AUTH without SA, TSi and TSr where it said so."""
    if connection.childless is Childless.NEVER and find(payloads, SecurityAssociation) is None:
        raise InvalidSyntax(
            f"IKE_AUTH without a Child SA, and connection {connection.name} says "
            f'childless = "never"'
        )


def check_presence(connection: ConnectionSettings) -> None:
    """The responder makes no Child SA of an IKE_AUTH where it wants these by CREATE_CHILD_SA."""
    if connection.childless is Childless.FORCE:
        raise NoProposalChosen(
            f"connection {connection.name} makes no Child SA within IKE_AUTH "
            f'(childless = "force"): the peer may ask by CREATE_CHILD_SA'
        )
