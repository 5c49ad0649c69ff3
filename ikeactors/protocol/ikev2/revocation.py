"""Whether a peer's certificates are revoked: asked once its proof is right, and again later.

    IKE_AUTH is right  -->  CheckRevocation  -->  RevocationChecked  -->  ClaimIdentity ...
    Timer.RECHECK      -->  CheckRevocation  -->  RevocationChecked  -->  delete, or nothing

Nothing is fetched for a stranger: by then a path leads to an authority we trust, and the peer has
signed with its key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ikeactors.crypto.pki.revocation import Revocation, RevocationPolicy
from ikeactors.errors import ProtocolFault
from ikeactors.protocol.actions import CheckRevocation, Level
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.events import Reply, RevocationChecked
from ikeactors.protocol.ikev2.phases import Established
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.settings import AuthSettings
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: who is asked answers within less, whatever it can find out.
PATIENCE = 60.0


class Judgement(Protocol):
    """What goes on when it is known whether the peer's certificates hold."""

    def believed(self, association: Association) -> None:
        """They do."""
        ...

    def refused(self, association: Association, reason: str) -> None:
        """They do not."""
        ...


def check(
    association: Association, auth: AuthSettings, proof: PeerProof | None, then: Judgement
) -> None:
    """Ask whether the certificates are revoked that have proven who the peer is, if any have."""
    if proof is None or not proof.chain:
        then.believed(association)
        return
    association.timers.start(Timer.HALF_OPEN, association.now + PATIENCE)
    ticket = association.wait_for(Checked(then, auth.revocation))
    # What we have not asked for is passed over.
    answers = proof.answers if association.connection.ocsp.requests else ()
    association.emit(CheckRevocation(ticket, proof.chain, answers))


@quick
class Checked:
    """IKE_AUTH goes on, or ends."""

    then: Judgement
    policy: RevocationPolicy

    def resumed(self, association: Association, event: Reply) -> None:
        """Hold the findings against what the connection asks for."""
        assert isinstance(event, RevocationChecked)
        reason = self.policy.refusal(event.findings)
        if reason:
            self.then.refused(association, reason)
            return
        for finding in event.findings:
            association.report("revocation-checked", finding.text)
        try:
            self.then.believed(association)
        except ProtocolFault as fault:
            self.then.refused(association, str(fault))


def proof_to_keep(association: Association, proof: PeerProof | None) -> PeerProof | None:
    """What of the peer's proof is looked at again while the IKE SA stands."""
    if proof is None:
        return None
    if association.connection.remote.revocation_recheck:
        return replace(proof, answers=()) if proof.answers else proof
    # Of those that are not asked about again, octets need not be kept.
    return None if proof.blocks is None else replace(proof, chain=(), answers=())


def schedule(association: Association, proof: PeerProof | None) -> None:
    """The IKE SA stands: when its peer's certificates are looked at again."""
    wait = association.connection.remote.revocation_recheck
    if wait and proof is not None:
        association.timers.start(Timer.RECHECK, association.now + wait)


def recheck(association: Association) -> None:
    """The time has come to look at the certificates again."""
    phase = association.phase
    if not isinstance(phase, Established) or phase.proof is None:
        return
    proof = phase.proof
    if association.surroundings.wall_clock() > proof.not_after:
        _end(association, f"the peer's certificates have expired: {proof.path}")
        return
    if proof.chain:
        ticket = association.wait_for(Rechecked())
        association.emit(CheckRevocation(ticket, proof.chain))
    schedule(association, proof)


@quick
class Rechecked:
    """The IKE SA ends where a certificate is revoked meanwhile.

    That nobody can be asked now ends nothing: no peer has to pay for a server that is down.
    """

    def resumed(self, association: Association, event: Reply) -> None:
        """End it, or not."""
        assert isinstance(event, RevocationChecked)
        reason = RevocationPolicy.RELAXED.refusal(event.findings)
        if reason and association.established:
            _end(association, reason)
            return
        for finding in event.findings:
            if finding.status is Revocation.UNKNOWN:
                association.report("revocation-unknown", finding.text, Level.WARNING)


def _end(association: Association, reason: str) -> None:
    association.report("certificate-refused", reason, Level.WARNING)
    association.delete_ike_sa(reason, Request(None))
