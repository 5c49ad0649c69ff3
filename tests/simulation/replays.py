"""One association of a run is recorded, and run again at its end.

Its actions must be the same, octet for octet, whatever befell it.
"""

from __future__ import annotations

from ikeactors.protocol.recording.making import Keep
from ikeactors.protocol.recording.recorded import Beginning, Recordable, Step
from ikeactors.protocol.recording.replay import replay
from tests.simulation.verdict import Record

# Beyond that a run would take noticeably longer.
_STEPS_LIMIT = 400


class Reel:
    """The first association of a host, as far as it is short enough."""

    def __init__(self) -> None:
        self._beginning: Beginning | None = None
        self._steps: list[Step] = []

    def begin(self, beginning: Beginning) -> Keep:
        """The first is kept, all others are not."""
        if self._beginning is not None:
            return _forget
        self._beginning = beginning
        return self._keep

    def check(self, record: Record) -> None:
        """Run it again."""
        if self._beginning is None:
            return
        for number, replayed in enumerate(replay(self._beginning, self._steps), 1):
            record.count("replayed steps")
            if replayed.difference:
                event = type(replayed.step.event).__name__
                record.breaks("replay", f"step {number}, {event}: {replayed.difference}")

    def _keep(self, step: Step, _: Recordable) -> None:
        # One whose step crashed would crash again.
        if len(self._steps) < _STEPS_LIMIT and step.actions is not None:
            self._steps.append(step)


def _forget(step: Step, association: Recordable) -> None:
    """Of no interest."""
