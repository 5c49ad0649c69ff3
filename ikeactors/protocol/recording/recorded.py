"""An association that is recorded: what it was given, what it learnt, what it asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ikeactors.protocol.actions import Action, Level, Report, Trace
from ikeactors.protocol.events import Endpoint, Event
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.recording.tape import Answer, NotingTape
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.snapshot import AssociationSnapshot


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an association was made with; no connection for a responder."""

    connection: ConnectionSettings | None
    local: Endpoint
    remote: Endpoint
    constants: dict[str, Any]
    record_keys: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One event; no actions where the step crashed. The answers hold keys' secrets."""

    now: float
    event: Event
    answers: tuple[Answer, ...] = field(repr=False)
    actions: tuple[Action, ...] | None


class Recordable(Protocol):
    """An association of the core."""

    @property
    def deadline(self) -> float: ...
    @property
    def closed(self) -> bool: ...
    @property
    def established(self) -> bool: ...
    @property
    def half_open(self) -> bool: ...
    @property
    def connection_name(self) -> str: ...
    @property
    def failure(self) -> str: ...
    def handle(self, event: Event, now: float) -> Sequence[Action]: ...
    def needs_worker(self, event: Event) -> bool: ...
    def snapshot(self, now: float) -> AssociationSnapshot: ...
    def checkpoint(self, now: float) -> Checkpoint: ...


class RecordedAssociation:
    """Stands before the association of the core, and leaves each step with `keep`.

    What nobody hears is in the recording all the same, and goes no further.
    """

    __slots__ = ("_is_heard", "_keep", "_tape", "core")

    def __init__(
        self,
        core: Recordable,
        tape: NotingTape,
        keep: Callable[[Step, Recordable], None],
        is_heard: Callable[[Level, str], bool],
    ) -> None:
        self.core = core
        self._tape = tape
        self._keep = keep
        self._is_heard = is_heard

    def handle(self, event: Event, now: float) -> Sequence[Action]:
        """One step, which is kept also when it crashes."""
        actions: tuple[Action, ...] | None = None
        try:
            actions = tuple(self.core.handle(event, now))
        finally:
            step = Step(now, event, self._tape.take(), actions)
            self._keep(step, self.core)
        return [action for action in actions if self._is_wanted(action)]

    def needs_worker(self, event: Event) -> bool:
        return self.core.needs_worker(event)

    def snapshot(self, now: float) -> AssociationSnapshot:
        return self.core.snapshot(now)

    def checkpoint(self, now: float) -> Checkpoint:
        return self.core.checkpoint(now)

    @property
    def deadline(self) -> float:
        return self.core.deadline

    @property
    def closed(self) -> bool:
        return self.core.closed

    @property
    def established(self) -> bool:
        return self.core.established

    @property
    def half_open(self) -> bool:
        return self.core.half_open

    @property
    def connection_name(self) -> str:
        return self.core.connection_name

    @property
    def failure(self) -> str:
        return self.core.failure

    def _is_wanted(self, action: Action) -> bool:
        if not isinstance(action, Report | Trace):
            return True
        return self._is_heard(action.level, action.connection)
