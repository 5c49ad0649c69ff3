"""What becomes of an association when this host's addresses or routes change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2 import liveness

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def look_around(association: Association) -> None:
    """Is our address still there?

    Where it is not, the peer is asked, which ends in an answer when the address comes back soon.
    """
    addresses = association.surroundings.addresses()
    if not association.established or not addresses:
        return
    if association.local.address not in addresses:
        text = f"our address {association.local.address} is gone from this host"
        association.report("local-address-lost", text, Level.WARNING)
        liveness.ask(association)
