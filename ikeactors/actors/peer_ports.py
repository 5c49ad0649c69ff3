"""What a peer's actor works with, as far as it looks into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ikeactors.kernel.requests import SaRequest
from ikeactors.protocol import actions
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.recording.recorded import Recordable
from ikeactors.protocol.settings import ConnectionSettings

# The core's association, as far as its actor looks into it; a recorded one is another.
Association = Recordable


@dataclass(frozen=True, slots=True)
class Kept:
    """An association that was there before a restart or a crash, and so many seconds ago."""

    number: int
    initiates: bool
    children: tuple[str, ...]
    checkpoint: Checkpoint
    elapsed: float


class Associations(Protocol):
    """Makes associations."""

    def initiating(
        self, connection: ConnectionSettings, local: Endpoint, remote: Endpoint
    ) -> Association: ...
    def responding(self, local: Endpoint, remote: Endpoint) -> Association: ...
    def restored(self, checkpoint: Checkpoint, now: float, elapsed: float) -> Association: ...


class Sender(Protocol):
    """The sockets, as far as a peer uses them."""

    def send_message(
        self, octets: bytes, local: Endpoint, remote: Endpoint, dscp: int = 0
    ) -> str | None: ...
    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None: ...


class KeyRecords(Protocol):
    """Where keys are written down, if they are."""

    def record_ike(self, keys: actions.RecordIkeKeys) -> None: ...
    def record_esp(self, sas: Sequence[SaRequest]) -> None: ...


class Following(Protocol):
    """Who is told when children go up and down."""

    def up(self, number: int, action: actions.FollowChildSa) -> None: ...
    def down(self, number: int, action: actions.UnfollowChildSa) -> None: ...
    def ended(self, number: int) -> None: ...
