"""A recording run again: each step must give the same actions, octet for octet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ikeactors.protocol.actions import Action
from ikeactors.protocol.encoding import encode
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.recording.making import made_on
from ikeactors.protocol.recording.recorded import Beginning, Step
from ikeactors.protocol.recording.tape import AnsweringTape, Diverged
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Replayed:
    """A step and what it came to this time; `difference` says where they part, or nothing."""

    step: Step
    actions: tuple[Action, ...]
    difference: str


def replay(beginning: Beginning, steps: Iterable[Step]) -> Iterator[Replayed]:
    """Run a recording up to its end, or to the first step that differs.

    A step that crashed crashes again, with its exception.
    """
    tape = AnsweringTape()
    settings = Settings(record_keys=beginning.record_keys)
    surroundings = Surroundings(_NoEntropy(), **beginning.constants)
    association = made_on(tape, settings, beginning, surroundings)
    for step in steps:
        replayed = _run(association, step, tape)
        yield replayed
        if replayed.difference:
            return


def _run(association: Association, step: Step, tape: AnsweringTape) -> Replayed:
    tape.load(step.answers)
    try:
        actions = tuple(association.handle(step.event, step.now))
    except Diverged as fault:
        return Replayed(step, (), str(fault))
    return Replayed(step, actions, _difference(step, actions, tape.left))


def _difference(step: Step, actions: tuple[Action, ...], left: int) -> str:
    if step.actions is None:
        return "the recorded step crashed, and this one does not"
    for number, (recorded, action) in enumerate(zip(step.actions, actions, strict=False), 1):
        if encode(recorded) != encode(action):
            return f"action {number}: recorded {_shown(recorded)}, now {_shown(action)}"
    if len(step.actions) != len(actions):
        return f"recorded {len(step.actions)} actions, now {len(actions)}"
    if left:
        return f"{left} things are not asked for any more"
    return ""


def _shown(action: Action) -> str:
    """An action in a line; its secrets are not in it."""
    text = repr(action)
    return text if len(text) <= _SHOWN_LIMIT else f"{text[:_SHOWN_LIMIT]}..."


class _NoEntropy:
    """There is no chance in a replay: the tape has the octets."""

    def octets(self, count: int) -> bytes:
        raise Diverged(f"{count} octets are drawn past the tape")


_SHOWN_LIMIT = 400
