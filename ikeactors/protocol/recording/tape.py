"""What an association asks of its surroundings within a step: noted, or answered from the notes.

Whatever the core learns is in its events, or comes through here. Both tapes are asked in the same
way, so that a question one of them misses is missed by both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from ikeactors.protocol.actions import Level
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.credentials import Credentials
from ikeactors.protocol.entropy import Entropy
from ikeactors.protocol.settings import Address, ConnectionSettings, Settings
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.wire.identities import Identity

# What was asked, and what the answer was.
Answer = tuple[str, Any]


class Diverged(Exception):
    """The association asks for something else than it did when it was recorded.

    No `Fault`: the core must not take it for one of its peer's.
    """


class Tape(Protocol):
    """Where questions go."""

    def ask(self, name: str, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer to a question, which `question` would give."""
        ...


class NotingTape:
    """Passes questions on, and notes the answers."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: list[Answer] = []

    def ask(self, name: str, question: Callable[..., Any], *arguments: Any) -> Any:
        """Ask, and note."""
        answer = question(*arguments)
        self._answers.append((name, answer))
        return answer

    def take(self) -> tuple[Answer, ...]:
        """All answers since the last time."""
        answers, self._answers = self._answers, []
        return tuple(answers)


class AnsweringTape:
    """Gives the noted answers, in their order."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: list[Answer] = []

    def load(self, answers: tuple[Answer, ...]) -> None:
        """The answers of the next step."""
        self._answers = list(answers)

    def ask(self, name: str, question: Callable[..., Any], *arguments: Any) -> Any:
        """The noted answer. Raises `Diverged`."""
        if not self._answers:
            raise Diverged(f"it asks for {name}, and nothing more was asked for")
        noted, answer = self._answers.pop(0)
        if noted != name:
            raise Diverged(f"it asks for {name}, where {noted} was asked for")
        return answer

    @property
    def left(self) -> int:
        """How many answers of the step have not been asked for."""
        return len(self._answers)


# Not values, and asked by way of a tape under names of their own.
_BY_TAPE = ("entropy", "credentials")


class _TapedEntropy:
    """Chance, by way of a tape."""

    __slots__ = ("_entropy", "_tape")

    def __init__(self, tape: Tape, entropy: Entropy) -> None:
        self._tape = tape
        self._entropy = entropy

    def octets(self, count: int) -> bytes:
        # The count is in the name: for another one it is another question.
        octets: bytes = self._tape.ask(f"{count} octets", self._entropy.octets, count)
        return octets


class _TapedCredentials:
    """Our keys and whom we believe, by way of a tape."""

    __slots__ = ("_credentials", "_tape")

    def __init__(self, tape: Tape, credentials: Credentials) -> None:
        self._tape = tape
        self._credentials = credentials

    def prove(self, *arguments: Any) -> Any:
        return self._tape.ask("our signature", self._credentials.prove, *arguments)

    def authorities(self, *arguments: Any) -> Any:
        return self._tape.ask("authorities", self._credentials.authorities, *arguments)

    def verify(self, *arguments: Any) -> Any:
        return self._tape.ask("the peer's signature", self._credentials.verify, *arguments)


class _TapedAllowance(Allowance):
    """An allowance, which others draw on too, by way of a tape."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[float], bool]) -> None:
        self._ask = ask

    def take(self, now: float) -> bool:
        return self._ask(now)


class _TapedSettings(Settings):
    """What of the configuration an association has looked at, by way of a tape."""

    def __init__(self, tape: Tape, settings: Settings) -> None:
        super().__init__(record_keys=settings.record_keys)
        object.__setattr__(self, "_ask", tape.ask)
        object.__setattr__(self, "_settings", settings)

    _ask: Callable[..., Any]
    _settings: Settings

    def connection(self, name: str) -> ConnectionSettings | None:
        found: ConnectionSettings | None = self._ask("connection", self._settings.connection, name)
        return found

    def candidates(self, local: Address, remote: Address) -> tuple[ConnectionSettings, ...]:
        found: tuple[ConnectionSettings, ...] = self._ask(
            "candidates", self._settings.candidates, local, remote
        )
        return found

    def secret_for(self, local: Identity, remote: Identity) -> bytes | None:
        found: bytes | None = self._ask("secret", self._settings.secret_for, local, remote)
        return found

    def ppk_for(self, name: bytes) -> bytes | None:
        found: bytes | None = self._ask("post-quantum key", self._settings.ppk_for, name)
        return found

    @property
    def has_ppks(self) -> bool:
        found: bool = self._ask("post-quantum keys", lambda: self._settings.has_ppks)
        return found


def constants_of(surroundings: Surroundings) -> dict[str, Any]:
    """Those of the surroundings that are values and never change."""
    fields = {one.name: getattr(surroundings, one.name) for one in dataclasses.fields(surroundings)}
    return {
        name: value
        for name, value in fields.items()
        if name not in _BY_TAPE and not callable(value) and not isinstance(value, Allowance)
    }


def taped_surroundings(tape: Tape, surroundings: Surroundings) -> Surroundings:
    """The same surroundings, by way of a tape.

    All reports are heard, so that a recording tells what happened whoever listened to it.
    """
    changes: dict[str, Any] = {}
    for one in dataclasses.fields(surroundings):
        value = getattr(surroundings, one.name)
        if isinstance(value, Allowance):
            changes[one.name] = _TapedAllowance(partial(tape.ask, one.name, value.take))
        elif callable(value):
            changes[one.name] = partial(tape.ask, one.name, value)
    changes["entropy"] = _TapedEntropy(tape, surroundings.entropy)
    changes["credentials"] = _TapedCredentials(tape, surroundings.credentials)
    changes["is_heard"] = _everything
    return dataclasses.replace(surroundings, **changes)


def taped_settings(tape: Tape, settings: Settings) -> Settings:
    """The same settings, by way of a tape."""
    return _TapedSettings(tape, settings)


def _everything(level: Level, connection: str) -> bool:
    return True
