"""Signatures by keys that a token keeps: a token can wait, refuse, and be gone.

    what is to be signed  -->  SignByToken  -->  SignedByToken  -->  the message leaves

Until it is signed, what is to be signed stands in the place of its signature. That is done here,
once all else is in the message; keys that are here sign at once and never come this way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ikeactors.crypto.signature_schemes import BY_IDENTIFIER
from ikeactors.crypto.signatures import authentication_data
from ikeactors.protocol.actions import SignByToken
from ikeactors.protocol.credentials import Unsigned
from ikeactors.protocol.events import Reply, SignedByToken
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.revocation import PATIENCE
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick
from ikeactors.wire.payload import Authentication, Notify, Payload

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.rounds import Rounds


class Signatory(Protocol):
    """What goes on when all is signed, or is not."""

    def signed(self, association: Association, payloads: Payloads) -> None:
        """The message with its signatures."""
        ...

    def not_signed(self, association: Association, reason: str) -> None:
        """There is none."""
        ...


def sign(association: Association, progress: Rounds, payloads: Payloads, then: Signatory) -> None:
    """Have signed what a round of ours has left unsigned in a message."""
    first, *others = progress.unsigned
    progress.unsigned = ()
    _ask(association, Signing(first, tuple(others), payloads, then))


def _ask(association: Association, signing: Signing) -> None:
    association.timers.start(Timer.HALF_OPEN, association.now + PATIENCE)
    wanted = signing.wanted
    ticket = association.wait_for(signing)
    association.emit(SignByToken(ticket, wanted.key, wanted.algorithm, wanted.octets))


@quick
class Signing:
    """One signature is awaited, and then the others of the message."""

    wanted: Unsigned
    others: tuple[Unsigned, ...]
    payloads: Payloads
    then: Signatory

    def resumed(self, association: Association, event: Reply) -> None:
        """Put the signature in its place."""
        assert isinstance(event, SignedByToken)
        if event.refusal:
            self.then.not_signed(association, event.refusal)
            return
        wanted = self.wanted
        scheme = BY_IDENTIFIER[wanted.algorithm]
        data = authentication_data(wanted.method, scheme, event.signature, wanted.bits)
        payloads = tuple(_filled(one, wanted.octets, data) for one in self.payloads)
        if self.others:
            _ask(
                association,
                replace(self, wanted=self.others[0], others=self.others[1:], payloads=payloads),
            )
            return
        self.then.signed(association, payloads)


def _filled(payload: Payload, octets: bytes, data: bytes) -> Payload:
    """AUTH, or the one beside it that holds without a post-quantum key (NO_PPK_AUTH)."""
    if isinstance(payload, Authentication | Notify) and payload.data == octets:
        return replace(payload, data=data)
    return payload
