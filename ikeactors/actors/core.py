"""The protocol core as the actors call it: associations made, strangers considered."""

from __future__ import annotations

from typing import Protocol

from ikeactors.actors.peers import Peers
from ikeactors.actors.router import Refusal
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.admission import Admission, Refused
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.recording.making import Keep, recorded
from ikeactors.protocol.recording.recorded import Beginning, RecordedAssociation
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.surroundings import Surroundings


class Recorder(Protocol):
    """Where recordings go."""

    def begin(self, beginning: Beginning) -> Keep: ...


NO_ROOM = Refused("too many associations")


class CoreAssociations:
    """Makes the core's associations, all with the same settings and surroundings."""

    def __init__(
        self, settings: Settings, surroundings: Surroundings, recorder: Recorder | None = None
    ) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._recorder = recorder

    def initiating(
        self, connection: ConnectionSettings, local: Endpoint, remote: Endpoint
    ) -> Association | RecordedAssociation:
        settings, around = self._settings, self._surroundings
        if self._recorder is not None and connection.record:
            ends = local, remote
            return recorded(settings, connection, ends, around, self._recorder.begin)
        return Association.initiating(settings, connection, local, remote, around)

    def responding(self, local: Endpoint, remote: Endpoint) -> Association | RecordedAssociation:
        settings, around = self._settings, self._surroundings
        if self._recorder is not None:
            candidates = settings.candidates(local.address, remote.address)
            if any(connection.record for connection in candidates):
                return recorded(settings, None, (local, remote), around, self._recorder.begin)
        return Association.responding(settings, local, remote, around)

    def restored(self, checkpoint: Checkpoint, now: float, elapsed: float) -> Association:
        return Association.restored(self._settings, checkpoint, self._surroundings, now, elapsed)


def consider(
    admission: Admission, peers: Peers, datagram: DatagramReceived, now: float
) -> Refusal | None:
    """Why a datagram that no association owns is not let in; None when it is."""
    address = datagram.remote.address
    verdict = admission.consider(
        datagram,
        peers.half_open,
        peers.half_open_of(address),
        now,
        is_suspect=peers.is_suspect(address, now),
    )
    if isinstance(verdict, Refused):
        return verdict
    return None if peers.admits(address) else NO_ROOM
