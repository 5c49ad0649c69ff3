"""What an operator asks is answered once, when the last exchange has ended."""

from __future__ import annotations

from ikeactors.protocol.actions import AnswerRequest
from ikeactors.protocol.ikev2.requests import Request
from tests.pair import Pair


def answered(request: Request, *problems: str) -> list[tuple[int, bool, str]]:
    association = Pair().west.association
    for problem in problems:
        request.finish_part(association, problem)
    actions = association.outbox.take()
    assert all(isinstance(one, AnswerRequest) for one in actions)
    return [
        (one.request_id, one.succeeded, one.text)
        for one in actions
        if isinstance(one, AnswerRequest)
    ]


def test_the_answer_waits_for_the_last_part() -> None:
    request = Request(5, 2)
    assert answered(request, "") == []
    assert answered(request, "") == [(5, True, "")]
    assert answered(request, "") == []


def test_problems_are_told_once_each() -> None:
    assert answered(Request(5, 3), "one", "one", "two") == [(5, False, "one; two")]


def test_nobody_is_told_where_nobody_waits() -> None:
    assert answered(Request(None), "problem") == []


def test_who_joins_hears_the_same() -> None:
    request = Request(5)
    request.joined(6)
    request.joined(None)
    request.add_part()
    assert answered(request, "", "late") == [(5, False, "late"), (6, False, "late")]


def test_failing_ends_all_parts() -> None:
    request = Request(5, 3)
    association = Pair().west.association
    request.fail(association, "lost")
    assert association.outbox.take() == [AnswerRequest(5, False, "lost")]
