"""The protocol core as the actors call it: associations made, strangers considered."""

from __future__ import annotations

from ikeactors.actors.peers import Peers
from ikeactors.actors.router import Refusal
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.admission import Admission, Refused
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.surroundings import Surroundings


class CoreAssociations:
    """Makes the core's associations, all with the same settings and surroundings."""

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings

    def initiating(
        self, connection: ConnectionSettings, local: Endpoint, remote: Endpoint
    ) -> Association:
        return Association.initiating(self._settings, connection, local, remote, self._surroundings)

    def responding(self, local: Endpoint, remote: Endpoint) -> Association:
        return Association.responding(self._settings, local, remote, self._surroundings)


def consider(
    admission: Admission, peers: Peers, datagram: DatagramReceived, now: float
) -> Refusal | None:
    """Why a datagram that no association owns is not let in; None when it is."""
    of_address = peers.half_open_of(datagram.remote.address)
    verdict = admission.consider(datagram, peers.half_open, of_address, now)
    return verdict if isinstance(verdict, Refused) else None
