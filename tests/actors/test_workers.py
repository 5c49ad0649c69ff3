"""The crypto pool: results, faults, killed workers and impatient callers."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from ikeactors.actors.workers import Workers, run_worker, threads
from tests.fakes.associations import Injected, in_place


async def test_results_come_back_from_a_thread() -> None:
    workers = Workers(threads(2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_worker, workers)
        thread = await workers.run(threading.get_ident)
        nursery.cancel_scope.cancel()
    assert thread != threading.get_ident()
    assert workers.statistics().done == 1


async def test_what_a_job_raises_goes_to_its_caller_and_the_worker_lives_on() -> None:
    def crash() -> None:
        raise Injected("in the thread")

    workers = Workers(threads(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_worker, workers)
        with pytest.raises(Injected, match="in the thread"):
            await workers.run(crash)
        assert await workers.run(lambda: 7) == 7
        nursery.cancel_scope.cancel()


async def test_a_killed_worker_gives_its_job_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, results = Workers(in_place(delay=10)), list[int]()

    async def ask() -> None:
        results.append(await workers.run(lambda: 7))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        with trio.move_on_after(5):
            await run_worker(workers)
        assert workers.statistics().given_back == 1
        assert results == []
        nursery.start_soon(run_worker, workers)
        await trio.sleep(11)
        nursery.cancel_scope.cancel()
    assert results == [7]


async def test_a_killed_worker_still_delivers_a_job_that_has_begun() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def job() -> int:
        begun.set()
        go_on.wait(10)
        return 7

    workers, results = Workers(threads(1)), list[int]()

    async def ask() -> None:
        results.append(await workers.run(job))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        with trio.CancelScope() as life:
            async with trio.open_nursery() as worker:
                worker.start_soon(run_worker, workers)
                await trio.to_thread.run_sync(begun.wait)
                life.cancel()
                go_on.set()
    assert results == [7]


async def test_a_cancelled_caller_takes_back_a_job_that_nobody_has_taken() -> None:
    workers = Workers(in_place())
    with trio.move_on_after(0) as scope:
        await workers.run(lambda: 7)
    assert scope.cancelled_caught
    assert workers.statistics().waiting == 0


async def test_a_cancelled_caller_waits_for_a_job_that_has_begun(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, done = Workers(in_place(delay=10)), list[int]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_worker, workers)
        with trio.move_on_after(5):
            await workers.run(lambda: done.append(1))
        assert done == [1]
        nursery.cancel_scope.cancel()


async def test_the_queue_is_bounded_and_later_callers_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers, results = Workers(in_place(), limit=2), list[int]()

    async def ask(number: int) -> None:
        results.append(await workers.run(lambda: number))

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        assert workers.statistics().waiting == 2
        nursery.start_soon(run_worker, workers)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert sorted(results) == list(range(6))


async def test_a_caller_cancelled_with_its_worker_does_not_wait_for_a_job_that_has_not_begun(
    autojump_clock: trio.testing.MockClock,
) -> None:
    workers = Workers(in_place(delay=10))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_worker, workers)
            nursery.start_soon(workers.run, lambda: 7)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
    assert workers.statistics().waiting == 0
