"""Restart types, strategies, intensity and back-off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.supervisor import (
    BackOff,
    ChildSpecification,
    Crashed,
    Ended,
    Intensity,
    IntensityExceeded,
    Restart,
    Strategy,
    Supervisor,
    attempt,
)
from tests.fakes.associations import Injected

GENEROUS = Intensity(100, 60.0)

Start = Callable[[], Awaitable[None]]


class Child:
    """Crashes or ends as told, then runs on; notes when it was started."""

    def __init__(self, *ends: str) -> None:
        self.ends = list(ends)
        self.started_at: list[float] = []
        self.stopped = 0

    async def __call__(self) -> None:
        self.started_at.append(trio.current_time())
        try:
            await trio.sleep(1)
            if not self.ends:
                await trio.sleep_forever()
            if self.ends.pop(0) == "crash":
                raise Injected
        finally:
            self.stopped += 1


def hub() -> ReportHub:
    return ReportHub(lambda: 0.0)


def supervised(
    *children: ChildSpecification,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity = GENEROUS,
) -> Supervisor:
    return Supervisor("test", children, hub(), lambda: 0.0, strategy=strategy, intensity=intensity)


async def run_for(supervisor: Supervisor, seconds: float) -> bool:
    """Whether it was still running after that."""
    with trio.move_on_after(seconds) as scope:
        await supervisor.run()
    return scope.cancelled_caught


@pytest.mark.parametrize(
    ("restart", "end", "starts"),
    [
        (Restart.PERMANENT, "crash", 2),
        (Restart.PERMANENT, "end", 2),
        (Restart.TRANSIENT, "crash", 2),
        (Restart.TRANSIENT, "end", 1),
        (Restart.TEMPORARY, "crash", 1),
        (Restart.TEMPORARY, "end", 1),
    ],
)
async def test_a_child_is_started_again_as_its_restart_type_says(
    autojump_clock: trio.testing.MockClock, restart: Restart, end: str, starts: int
) -> None:
    child = Child(end)
    goes_on = await run_for(supervised(ChildSpecification("child", child, restart)), 10)
    assert len(child.started_at) == starts
    assert goes_on == (starts == 2)


async def test_one_for_one_leaves_the_neighbours_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crashing, neighbour = Child("crash", "crash"), Child()
    supervisor = supervised(
        ChildSpecification("crashing", crashing), ChildSpecification("neighbour", neighbour)
    )
    assert await run_for(supervisor, 20)
    assert (len(crashing.started_at), len(neighbour.started_at)) == (3, 1)


async def test_rest_for_one_restarts_those_started_after_the_crashed_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    first, second, third = Child(), Child("crash"), Child()
    supervisor = supervised(
        ChildSpecification("first", first),
        ChildSpecification("second", second),
        ChildSpecification("third", third),
        strategy=Strategy.REST_FOR_ONE,
    )
    assert await run_for(supervisor, 20)
    starts = [len(child.started_at) for child in (first, second, third)]
    assert starts == [1, 2, 2]


async def test_restarts_wait_longer_each_time(autojump_clock: trio.testing.MockClock) -> None:
    child = Child(*["crash"] * 5)
    await run_for(supervised(ChildSpecification("child", child)), 60)
    pairs = zip(child.started_at, child.started_at[1:], strict=False)
    waits = [round(later - earlier - 1, 3) for earlier, later in pairs]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6]


async def test_a_supervisor_gives_up_when_the_intensity_is_exceeded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crashing, neighbour = Child(*["crash"] * 4), Child()
    supervisor = supervised(
        ChildSpecification("crashing", crashing),
        ChildSpecification("neighbour", neighbour),
        intensity=Intensity(3, 60.0),
    )
    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.run()
    assert caught.group_contains(IntensityExceeded, match="more than 3 restarts within 60 s")
    assert len(crashing.started_at) == 4
    assert neighbour.stopped == 1


async def test_restarts_long_ago_do_not_count(autojump_clock: trio.testing.MockClock) -> None:
    async def crash_every_minute() -> None:
        await trio.sleep(61)
        raise Injected

    child = ChildSpecification("slow", crash_every_minute)
    assert await run_for(supervised(child, intensity=Intensity(1, 60.0)), 1000)


async def test_a_crash_is_reported_with_its_traceback_and_no_local_variable() -> None:
    async def leak() -> None:
        secret = "hunter2" * 2
        raise Injected(f"{len(secret)} letters")

    reports = hub()
    supervisor = Supervisor(
        "test", [ChildSpecification("leak", leak, Restart.TEMPORARY)], reports, lambda: 0.0
    )
    with reports.subscribe() as subscription:
        await supervisor.run()
        published = await anext(subscription)
    report = published.report
    assert report.name == "actor-crashed"
    assert "Injected: 14 letters" in report.text
    traceback = str(report.details["traceback"])
    assert "in leak" in traceback
    assert "hunter2hunter2" not in traceback
    assert supervisor.statistics().children[0].last_crash == "Injected: 14 letters"


async def test_attempt_tells_an_end_from_a_crash_and_lets_cancellation_pass() -> None:
    async def end(value: int) -> int:
        return value

    async def crash() -> None:
        raise Injected("so")

    assert await attempt(end, 7) == Ended(7)
    crashed = await attempt(crash)
    assert isinstance(crashed, Crashed)
    assert (crashed.kind, crashed.text) == ("Injected", "so")
    with trio.move_on_after(0) as scope:
        await attempt(trio.sleep_forever)
    assert scope.cancelled_caught


def test_back_off_grows_to_its_limit_and_jitter_only_shortens() -> None:
    back_off = BackOff(first=1.0, limit=60.0, jitter=0.5)
    assert [back_off.delay(attempt, 0.0) for attempt in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]
    assert back_off.delay(3, 0.999) == pytest.approx(2.0, rel=0.01)
