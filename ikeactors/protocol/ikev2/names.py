"""Peers that are held to their names: by DNSSEC the name must have the peer's address.

    IKE_AUTH is right  -->  CheckName  -->  NameChecked  -->  revocation ...

Nothing is asked for a stranger: by then the peer has proven who it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.iana import IdType
from ikeactors.protocol.actions import CheckName
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.events import NameChecked, Reply
from ikeactors.protocol.ikev2 import revocation
from ikeactors.protocol.ikev2.revocation import PATIENCE, Judgement
from ikeactors.protocol.settings import AuthSettings
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def check(
    association: Association,
    auth: AuthSettings,
    identity: Identity,
    proof: PeerProof | None,
    then: Judgement,
) -> None:
    """Ask whether the peer's name has its address, where the connection wants that.

    What is asked after that is whether its certificates are revoked.
    """
    if not auth.dnssec:
        revocation.check(association, auth, proof, then)
        return
    if identity.type is not IdType.FQDN:
        then.refused(association, f'{identity} is no name of a host (dnssec = "require")')
        return
    association.timers.start(Timer.HALF_OPEN, association.now + PATIENCE)
    ticket = association.wait_for(NameProven(auth, proof, then))
    association.emit(CheckName(ticket, str(identity)))


@quick
class NameProven:
    """What goes on when it is known where the peer's name leads."""

    auth: AuthSettings
    proof: PeerProof | None
    then: Judgement

    def resumed(self, association: Association, event: Reply) -> None:
        """Hold the answer against where the peer is."""
        assert isinstance(event, NameChecked)
        address, refusal = association.remote.address, event.refusal
        if not refusal and address not in event.addresses:
            found = ", ".join(map(str, event.addresses))
            refusal = f"{event.name} is {found}, the peer's packets come from {address}"
        if refusal:
            self.then.refused(association, f'{refusal} (dnssec = "require")')
            return
        association.report("name-proven", f"{event.name} is {address}, by DNSSEC")
        revocation.check(association, self.auth, self.proof, self.then)
