"""Reports to subscribers, answers to operators."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from ikeactors.actors.reports import Answers, ReportHub, SubscriberTooSlow
from ikeactors.protocol.actions import AnswerRequest, Level, Report


def hub() -> ReportHub:
    return ReportHub(lambda: 1000.5)


def report(number: int = 0, level: Level = Level.INFO) -> Report:
    return Report("something", f"number {number}", level)


async def test_subscribers_hear_what_is_published_after_they_came() -> None:
    reports = hub()
    reports.publish(report(1))
    with reports.subscribe() as subscription:
        reports.publish(report(2), 7)
        sequence, at, association, told = await anext(subscription)
    assert (sequence, at, association, told.text) == (2, 1000.5, 7, "number 2")


async def test_a_waiting_subscriber_is_woken() -> None:
    reports, heard = hub(), list[str]()

    async def listen() -> None:
        with reports.subscribe() as subscription:
            async for published in subscription:
                heard.append(published.report.text)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        reports.publish(report(1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert heard == ["number 1"]
    assert reports.statistics().subscribers == 0


async def test_a_slow_subscriber_is_cut_off_and_the_others_hear_on() -> None:
    reports = hub()
    with reports.subscribe(limit=2) as slow, reports.subscribe() as quick:
        for number in range(4):
            reports.publish(report(number))
        with pytest.raises(SubscriberTooSlow, match="more than 2 reports"):
            await anext(slow)
        texts = [(await anext(quick)).report.text for _ in range(4)]
    assert texts == [f"number {number}" for number in range(4)]
    assert reports.statistics().cut_off == 1


async def test_a_closed_subscription_ends_after_what_was_heard() -> None:
    reports = hub()
    subscription = reports.subscribe()
    reports.publish(report(1))
    subscription.close()
    reports.publish(report(2))
    assert [published.report.text async for published in subscription] == ["number 1"]


async def test_what_nobody_wants_to_hear_is_not_wanted() -> None:
    reports = hub()
    assert not reports.is_wanted(Level.ERROR, "net")
    with reports.subscribe(wants=lambda level, _: level >= Level.INFO) as subscription:
        assert not reports.is_wanted(Level.DEBUG, "net")
        assert reports.is_wanted(Level.INFO, "net")
        reports.publish(report(1, Level.DEBUG))
        reports.publish(report(2))
        assert (await anext(subscription)).report.text == "number 2"


async def test_an_answer_reaches_who_waits_for_it_before_or_after_it_came() -> None:
    answers = Answers()
    early = answers.expect(1)
    answers.resolve(AnswerRequest(1, True, "up"))
    assert (await early()).text == "up"
    late = answers.expect(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(late)
        await trio.testing.wait_all_tasks_blocked()
        answers.resolve(AnswerRequest(2, False, "down"))
    assert len(answers) == 0


async def test_an_answer_nobody_waits_for_is_forgotten() -> None:
    answers = Answers()
    ticket = answers.expect(1)
    with trio.move_on_after(0):
        await ticket()
    assert len(answers) == 0
    answers.resolve(AnswerRequest(1, True, ""))
    answers.resolve(AnswerRequest(2, True, ""))
