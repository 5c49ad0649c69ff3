"""What happens to SAs before the kernel has said that they are installed: nobody has them yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ikeactors.kernel.requests import SaId, SaRequest
from ikeactors.protocol.events import SaExpired, SaMappingChanged

# Ours: a soft and a hard end of each half, and mappings that the network changes meanwhile.
LIMIT = 8


class EarlyEvents:
    """Events about the SAs of the command that is under way."""

    def __init__(self, carry: Callable[[SaExpired | SaMappingChanged], None]) -> None:
        self._carry = carry
        self._sas: frozenset[SaId] = frozenset()
        self._events: list[SaExpired | SaMappingChanged] = []

    def expect(self, sas: Sequence[SaRequest]) -> None:
        """These are being installed; what was there about others is of no use any more."""
        self._sas = frozenset(one.sa_id for one in sas)
        self._events.clear()

    def keep(self, event: SaExpired | SaMappingChanged) -> None:
        """Keep an event about an SA that nobody has."""
        if event.sa_id in self._sas and len(self._events) < LIMIT:
            self._events.append(event)

    def carry(self) -> None:
        """They are installed: hand on what has happened to them since."""
        events, self._events = self._events, []
        self._sas = frozenset()
        for event in events:
            self._carry(event)
