"""The phases of an association: each holds what is true in it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.ikev2.demands import AuthWork
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity

if TYPE_CHECKING:
    from ikeactors.protocol.events import DatagramReceived
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.auth_answering import Answering
    from ikeactors.wire.header import Header


@dataclass(frozen=True, slots=True)
class Fresh:
    """Nothing has happened yet."""

    def ended(self, association: Association, reason: str) -> None:
        """Nobody waits."""


@dataclass(slots=True)
class Authenticating:
    """There are keys and no proof; the peer may claim any of these connections.

    `answered` is the responder's answer to IKE_SA_INIT: anybody can have sent the message that
    made us compute the keys, so the peer may still ask for it again. With `work` the initiator
    solves a puzzle before it goes on. `answering` is the responder's, where there is more to prove.
    """

    transcript: Transcript
    connections: tuple[ConnectionSettings, ...]
    request: Request | None = None
    answered: InitAnswered | None = None
    wanted: tuple[ChildSettings, ...] = ()
    work: AuthWork | None = None
    answering: Answering | None = None

    def begin(self, wanted: tuple[ChildSettings, ...], request: Request) -> None:
        """We have asked for these children."""
        self.wanted, self.request = wanted, request

    def join(self, wanted: tuple[ChildSettings, ...], request_id: int | None) -> bool:
        """Somebody else asks meanwhile: what she misses follows the first child.

        False where it is the peer who initiates.
        """
        if self.request is None:
            return False
        self.request.joined(request_id)
        missing = tuple(child for child in wanted if child not in self.wanted)
        self.wanted += missing
        for _ in missing:
            self.request.add_part()
        return True

    def repeat(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        """An IKE_SA_INIT request, again or forged."""
        if self.answered is not None:
            self.answered.receive(association, datagram, header)
        else:
            association.drop("an IKE_SA_INIT request to its initiator")

    def ended(self, association: Association, reason: str) -> None:
        """Whoever asked for it hears why it did not come about."""
        if self.request is not None:
            self.request.fail(association, reason)


@quick
class Established:
    """Both ends have proven who they are; `request` is what brought it up, if it was we.

    `proof` is the peer's where something of it is still needed.
    """

    local: Identity
    remote: Identity
    request: Request | None
    proof: PeerProof | None = None

    def ended(self, association: Association, reason: str) -> None:
        """Whoever still waits for a Child SA hears why it did not come about."""
        if self.request is not None:
            self.request.fail(association, reason)


@dataclass(frozen=True, slots=True)
class Closed:
    """It is all over."""

    def ended(self, association: Association, reason: str) -> None:
        """It has ended before."""


Phase = Fresh | InitSent | InitAnswered | Authenticating | Established | Closed
