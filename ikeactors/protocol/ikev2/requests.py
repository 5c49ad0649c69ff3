"""What an operator has asked of an association, and the answer she waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import AnswerRequest
from ikeactors.protocol.events import Trigger

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


class Request:
    """One request, which may take several exchanges: it is answered when the last has ended.

    With `request_id` None nobody waits: our own timers ask in the same words. `then` is called at
    its end, with what has gone wrong. `trigger` is the packet that needs it, if one does. Without
    any exchange of its own it waits for the IKE SA.
    """

    __slots__ = (
        "_joined",
        "_problems",
        "_remaining",
        "_then",
        "_waits_for_ike_sa",
        "request_id",
        "trigger",
    )

    def __init__(
        self,
        request_id: int | None,
        parts: int = 1,
        then: Callable[[Association, str], None] | None = None,
        trigger: Trigger | None = None,
    ) -> None:
        self.trigger = trigger
        self.request_id = request_id
        self._remaining = parts or 1
        self._waits_for_ike_sa = not parts
        self._problems: list[str] = []
        self._joined: list[int] = []
        self._then = then

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for the answer."""
        return self.request_id is not None or bool(self._joined)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the answer, or something for the end."""
        return self.is_asked or self._then is not None

    def add_part(self) -> None:
        """One more exchange is needed."""
        self._remaining += 1

    def joined(self, request_id: int | None) -> None:
        """Somebody else asks for the same, and hears the same answer."""
        if request_id is not None:
            self._joined.append(request_id)

    def ike_sa_stands(self, association: Association) -> None:
        """For some it is the IKE SA that was asked for."""
        if self._waits_for_ike_sa:
            self._waits_for_ike_sa = False
            self.finish_part(association)

    def finish_part(self, association: Association, problem: str = "") -> None:
        """One exchange has ended, well where `problem` is empty."""
        if self._remaining <= 0:
            return
        self._remaining -= 1
        if problem and problem not in self._problems:
            self._problems.append(problem)
        if self._remaining == 0:
            self._answer(association)

    def _answer(self, association: Association) -> None:
        text = "; ".join(self._problems)
        asked = [] if self.request_id is None else [self.request_id]
        for request_id in asked + self._joined:
            association.emit(AnswerRequest(request_id, not text, text))
        if self._then is not None:
            self._then(association, text)

    def leave(self) -> None:
        """Another association answers it."""
        self._remaining = 0

    def fail(self, association: Association, problem: str) -> None:
        """Whatever is missing will not come."""
        while self._remaining > 0:
            self.finish_part(association, problem)
