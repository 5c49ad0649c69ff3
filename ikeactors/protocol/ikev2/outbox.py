"""What an association says in one step: its actions, in order."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import Action, Detail, Level, Report, Trace
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.wire.message import Message


class Outbox:
    """Collects the actions of a step; `connection` is the name that reports carry."""

    __slots__ = ("_actions", "_is_heard", "connection")

    def __init__(self, connection: str, is_heard: Callable[[Level, str], bool]) -> None:
        self._actions: list[Action] = []
        self._is_heard = is_heard
        self.connection = connection

    def emit(self, action: Action) -> None:
        """Ask for something."""
        self._actions.append(action)

    def take(self) -> list[Action]:
        """Everything asked for since the last time."""
        actions, self._actions = self._actions, []
        return actions

    def hears(self, level: Level) -> bool:
        """Whether anybody hears reports of this level: ask before costly words are made."""
        return self._is_heard(level, self.connection)

    def report(self, name: str, text: str, level: Level = Level.INFO, **details: Detail) -> None:
        """Tell whoever listens."""
        if not self.hears(level):
            return
        self._actions.append(Report(name, text, level, self.connection, details))

    def trace(
        self,
        exchange: ExchangeType,
        message_id: int,
        is_response: bool,
        payloads: Payloads,
        remote: Endpoint,
        *,
        sent: bool,
        protected: bool = True,
    ) -> None:
        """Show a message to whoever listens."""
        if not self.hears(Trace.level):
            return
        self._actions.append(
            Trace(
                sent,
                exchange,
                message_id,
                is_response,
                protected,
                payloads,
                remote,
                self.connection,
            )
        )

    def trace_clear(self, message: Message, remote: Endpoint, *, sent: bool) -> None:
        """Show a message that is not protected."""
        self.trace(
            message.exchange,
            message.message_id,
            message.is_response,
            message.payloads,
            remote,
            sent=sent,
            protected=False,
        )
