"""An end may prove several identities, one after the other (RFC 4739 section 2).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni  -->
                                 <--  HDR, SAr1, KEr, Nr, N(MULTIPLE_AUTH_SUPPORTED)
    HDR, SK {IDi, AUTH, SAi2, TSi, TSr,
        N(MULTIPLE_AUTH_SUPPORTED),
        N(ANOTHER_AUTH_FOLLOWS)}  -->
                                 <--  HDR, SK {IDr, AUTH}
    HDR, SK {IDi, AUTH}  -->
                                 <--  HDR, SK {SAr2, TSi, TSr}

Each message has at most one proof, and an end that has no more to prove sends none. Here is how far
both are; what is in the messages beside that is for IKE_AUTH.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import IdType, NotifyType
from ikeactors.protocol.credentials import PeerProof, Unsigned
from ikeactors.protocol.ikev2.authentication import Covered, identity_of, prove, verify
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import Address, AuthSettings, ConnectionSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import find, notifies, read_message
from ikeactors.wire.payload import (
    Authentication,
    IdentificationInitiator,
    IdentificationResponder,
    Notify,
)

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened

_FOLLOWS = Notify(NotifyType.ANOTHER_AUTH_FOLLOWS)
_SUPPORTED = (Notify(NotifyType.MULTIPLE_AUTH_SUPPORTED),)


Range = tuple[Address, Address]

NOBODY = Identity(IdType.NULL, b"")


@dataclass(slots=True)
class Rounds:
    """How far both ends are: what they have proven, and who they last said they are.

    Who they said they were first is who they are for all else. `unsigned` is what tokens of ours
    have to sign before what we prove may leave.
    """

    connection: ConnectionSettings
    local: Identity
    remote: Identity
    proven: int = 0
    checked: int = 0
    first_remote: Identity = NOBODY
    proofs: list[PeerProof] = field(default_factory=list)
    unsigned: tuple[Unsigned, ...] = ()

    @property
    def owes(self) -> bool:
        """Whether we have more to prove."""
        return self.proven < len(self.connection.local_rounds)

    @property
    def awaits(self) -> bool:
        """Whether the peer has."""
        return self.checked < len(self.connection.remote_rounds)

    @property
    def demand(self) -> AuthSettings:
        """What the peer had to prove last."""
        return self.connection.remote_rounds[max(self.checked - 1, 0)]

    @property
    def proof(self) -> PeerProof | None:
        """All that the peer has proven by certificates, as one."""
        return combined(self.proofs)

    def prove(
        self, association: Association, covered: Covered, request: Payloads = ()
    ) -> tuple[Payloads, Authentication]:
        """Our next certificates and AUTH. Raises AuthenticationFailed."""
        auth = self.connection.local_rounds[self.proven]
        self.local = identity_of(auth, association.local.address)
        ends = self.local, self.remote
        proof = prove(association, self.connection, auth, covered, *ends, request)
        self.proven += 1
        if proof.unsigned is not None:
            self.unsigned += (proof.unsigned,)
        return proof.certificates, proof.authentication

    def tell(self, association: Association, covered: Covered, request: Payloads = ()) -> Payloads:
        """ID, CERT, AUTH: our next proof, and whether another follows; nothing after the last."""
        if not self.owes:
            return ()
        certificates, authentication = self.prove(association, covered, request)
        kind = IdentificationInitiator if covered.original_initiator else IdentificationResponder
        return (kind(self.local), *certificates, authentication, *self.follows)

    @property
    def follows(self) -> Payloads:
        """Whether we prove more in our next message."""
        return (_FOLLOWS,) if self.owes else ()

    def check(
        self,
        association: Association,
        covered: Covered,
        remote: Identity,
        opened: Opened,
        payloads: Payloads,
    ) -> PeerProof | None:
        """The peer's next proof. Raises AuthenticationFailed."""
        auth = self.connection.remote_rounds[self.checked]
        if not auth.id.quality(remote):
            raise AuthenticationFailed(
                f"the peer says it is {remote}, connection {self.connection.name} expects {auth.id}"
            )
        self.remote = remote
        if not self.checked:
            self.first_remote = remote
        proof = verify(association, auth, covered, self.local, remote, opened, payloads)
        self.checked += 1
        self._check_follower(payloads)
        if proof is not None:
            self.proofs.append(proof)
        return proof

    def _check_follower(self, payloads: Payloads) -> None:
        """Whether another proof follows just where another is asked for."""
        follows = bool(notifies(payloads, NotifyType.ANOTHER_AUTH_FOLLOWS))
        if follows is self.awaits:
            return
        asked = f"connection {self.connection.name} asks for {len(self.connection.remote_rounds)}"
        if follows:
            raise AuthenticationFailed(f"{self.remote} wants to prove more identities, {asked}")
        raise AuthenticationFailed(f"{self.remote} proves {self.checked} identities, {asked}")

    def check_silence(self, payloads: Payloads) -> None:
        """A peer that has proven all may not go on. Raises AuthenticationFailed."""
        if find(payloads, Authentication) is not None:
            raise AuthenticationFailed(
                f"the peer proves more identities than the {len(self.connection.remote_rounds)} "
                f"that connection {self.connection.name} asks for"
            )


def combined(proofs: list[PeerProof]) -> PeerProof | None:
    """What must go on to hold: the first path, the earliest end, the addresses of all."""
    if len(proofs) < 2:
        return proofs[0] if proofs else None
    limited = [one.blocks for one in proofs if one.blocks is not None]
    blocks = limited[0] if limited else None
    for one in limited[1:]:
        assert blocks is not None
        pairs = ((ours, theirs) for ours in blocks for theirs in one)
        blocks = tuple(common for pair in pairs if (common := _common(*pair)) is not None)
    chain = next((one.chain for one in proofs if one.chain), ())
    return replace(
        proofs[0], not_after=min(one.not_after for one in proofs), chain=chain, blocks=blocks
    )


def _common(one: Range, other: Range) -> Range | None:
    if one[0].version != other[0].version:
        return None
    first, last = max(one[0], other[0], key=int), min(one[1], other[1], key=int)
    return (first, last) if int(first) <= int(last) else None


def offered(connections: Iterable[ConnectionSettings]) -> Payloads:
    """MULTIPLE_AUTH_SUPPORTED in the responder's IKE_SA_INIT, where a connection has use for it."""
    return _SUPPORTED if any(one.has_rounds for one in connections) else ()


def answered(connection: ConnectionSettings, transcript: Transcript) -> Payloads:
    """MULTIPLE_AUTH_SUPPORTED in the first IKE_AUTH request. Raises AuthenticationFailed."""
    if not connection.has_rounds:
        return ()
    check_support(connection, read_message(transcript.response).payloads)
    return _SUPPORTED


def check_support(connection: ConnectionSettings, payloads: Payloads) -> None:
    """Raise AuthenticationFailed where the peer can prove, or be proven, one identity alone."""
    if connection.has_rounds and not notifies(payloads, NotifyType.MULTIPLE_AUTH_SUPPORTED):
        raise AuthenticationFailed(
            f"the peer does not know multiple authentication (RFC 4739), which connection "
            f"{connection.name} has: {len(connection.local_rounds)} identities of ours, "
            f"{len(connection.remote_rounds)} of the peer's"
        )
