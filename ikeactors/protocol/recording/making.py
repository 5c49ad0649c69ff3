"""Associations whose questions go to a tape: to be recorded, or run again."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.recording.recorded import (
    Beginning,
    Recordable,
    RecordedAssociation,
    Step,
)
from ikeactors.protocol.recording.tape import (
    NotingTape,
    Tape,
    constants_of,
    taped_settings,
    taped_surroundings,
)
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.surroundings import Surroundings

Keep = Callable[[Step, Recordable], None]


def recorded(
    settings: Settings,
    connection: ConnectionSettings | None,
    ends: tuple[Endpoint, Endpoint],
    surroundings: Surroundings,
    begin: Callable[[Beginning], Keep],
) -> RecordedAssociation:
    """An association that is recorded from its first step; without a connection a responder."""
    beginning = Beginning(connection, *ends, constants_of(surroundings), settings.record_keys)
    tape = NotingTape()
    core = made_on(tape, settings, beginning, surroundings)
    return RecordedAssociation(core, tape, begin(beginning), surroundings.is_heard)


def made_on(
    tape: Tape, settings: Settings, beginning: Beginning, surroundings: Surroundings
) -> Association:
    """The association of this beginning."""
    settings = taped_settings(tape, settings)
    surroundings = taped_surroundings(tape, surroundings)
    ends = beginning.local, beginning.remote
    if beginning.connection is None:
        return Association.responding(settings, *ends, surroundings)
    return Association.initiating(settings, beginning.connection, *ends, surroundings)
