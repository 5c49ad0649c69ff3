"""The queue of a data plane's events."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from ikeactors.actors.backends import EventQueue, EventsLost
from ikeactors.protocol.events import SaExpired
from tests.fakes.sas import sa

EVENT = SaExpired(sa().sa_id, hard=True)


async def test_events_come_in_their_order_to_who_waits() -> None:
    queue, taken = EventQueue(), []

    async def take() -> None:
        async for event in queue:
            taken.append(event)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        queue.post(EVENT)
        queue.post(SaExpired(sa(2).sa_id, hard=False))
        await wait_all_tasks_blocked()
        assert taken == [EVENT, SaExpired(sa(2).sa_id, hard=False)]
        nursery.cancel_scope.cancel()


async def test_an_overflow_is_told_once_and_what_waited_is_dropped() -> None:
    queue = EventQueue(limit=2)
    for _ in range(3):
        queue.post(EVENT)
    with pytest.raises(EventsLost):
        await anext(queue)
    queue.post(EVENT)
    assert await anext(queue) == EVENT


async def test_a_loss_elsewhere_wakes_the_reader() -> None:
    queue = EventQueue()

    async def take() -> None:
        with pytest.raises(EventsLost):
            await anext(queue)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        queue.lose()
