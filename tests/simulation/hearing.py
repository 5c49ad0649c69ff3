"""What hosts tell and owe an answer, heard at the instant at which it happens."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.protocol.actions import AnswerRequest, Level, Report


class Ledger(ReportHub):
    """Reports are heard at the instant at which they are made."""

    def __init__(
        self,
        clock: Callable[[], float],
        hear: Callable[[int, Report], None],
        wants_debug: bool,
    ) -> None:
        super().__init__(clock)
        self._hear = hear
        self._least = Level.DEBUG if wants_debug else Level.INFO

    def is_wanted(self, level: Level, connection: str) -> bool:
        return level >= self._least

    def publish(self, report: Report, association: int = 0) -> None:
        if report.level >= self._least:
            self._hear(association, report)


class AnswerBook(Answers):
    """Knows what was asked and is not answered."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int, str] = {}

    @property
    def open(self) -> list[str]:
        """What is not answered."""
        return list(self._open.values())

    def asked(self, request_id: int, what: str) -> None:
        """An operator waits for an answer."""
        self._open[request_id] = what

    def resolve(self, answer: AnswerRequest) -> None:
        self._open.pop(answer.request_id, None)
