"""Both ends have proven who they are: the IKE SA stands, if it may beside the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import ClaimIdentity, Level
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.events import IdentityClaimed, Reply
from ikeactors.protocol.ikev2.collisions import NoncePair
from ikeactors.protocol.ikev2.exchange import Continuation
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.wire.identities import Identity

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def establish(
    association: Association,
    ike_sa: IkeSa,
    local: Identity,
    remote: Identity,
    proof: PeerProof | None,
) -> None:
    """Both ends have proven who they are."""
    ike_sa.state = IkeSaState.ESTABLISHED
    association.established_between(local, remote, proof)
    if not association.outbox.hears(Level.INFO):
        return
    association.report(
        "ike-sa-established",
        f"IKE SA with {association.remote} is established: {local} === {remote}, {ike_sa.suite}",
        local_id=str(local),
        remote_id=str(remote),
        spi_i=ike_sa.spis.spi_i.hex(),
        spi_r=ike_sa.spis.spi_r.hex(),
    )


def claim(
    association: Association,
    local: Identity,
    remote: Identity,
    initial_contact: bool,
    then: Continuation,
    transcript: Transcript,
) -> None:
    """Ask whether this IKE SA may stand beside the others of the same identities."""
    association.emit(
        ClaimIdentity(
            association.wait_for(then),
            local,
            remote,
            association.connection.uniqueness,
            initial_contact,
            association.ike_sa.spis.original_initiator,
            association.created_at,
            association.now,
            NoncePair(transcript.nonce_i, transcript.nonce_r).lowest,
            association.remote.address,
        )
    )


@dataclass(frozen=True, slots=True)
class ClaimedByInitiator:
    """What the initiator does when its claim is answered: an unwanted IKE SA is deleted."""

    def resumed(self, association: Association, event: Reply) -> None:
        """Go on, or delete the IKE SA again."""
        assert isinstance(event, IdentityClaimed)
        if not event.granted:
            association.delete_ike_sa(
                "an older IKE SA between the same identities is kept (unique = keep)",
                Request(None),
            )
