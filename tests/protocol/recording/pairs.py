"""Two ends, both recorded, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ikeactors.protocol.recording.making import Keep, recorded
from ikeactors.protocol.recording.recorded import Beginning, Recordable, Step
from ikeactors.protocol.surroundings import Surroundings
from tests.pair import EAST, WEST, Pair


@dataclass
class Reel:
    """A recording in memory."""

    beginning: Beginning | None = None
    steps: list[Step] = field(default_factory=list)

    def begin(self, beginning: Beginning) -> Keep:
        self.beginning = beginning
        return self.keep

    def keep(self, step: Step, _: Recordable) -> None:
        self.steps.append(step)


def recorded_pair(**options: Any) -> tuple[Pair, Reel, Reel]:
    """Two ends, and the reel of each."""
    pair, west, east = Pair(**options), Reel(), Reel()
    connection = pair.west_settings.connections[0]
    pair.west.association = recorded(
        pair.west_settings,
        connection,
        (WEST, EAST),
        Surroundings(pair.entropies["west"]),
        west.begin,
    )
    pair.east.association = recorded(
        pair.east_settings, None, (EAST, WEST), Surroundings(pair.entropies["east"]), east.begin
    )
    return pair, west, east
