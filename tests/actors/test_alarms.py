"""One heap of deadlines for all associations."""

from __future__ import annotations

import math

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.mailbox import Mailbox
from ikeactors.protocol.events import TimerExpired


async def test_alarms_ring_in_the_order_of_their_deadlines(
    autojump_clock: trio.testing.MockClock,
) -> None:
    alarms, rung = Alarms(), list[tuple[float, int]]()

    async def listen(key: int, mailbox: Mailbox) -> None:
        await mailbox.receive()
        rung.append((trio.current_time() - began, key))

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_alarms, alarms)
        async with trio.open_nursery() as listeners:
            for key, after in ((1, 30.0), (2, 10.0), (3, 20.0)):
                mailbox = Mailbox()
                listeners.start_soon(listen, key, mailbox)
                alarms.set(key, began + after, mailbox)
        nursery.cancel_scope.cancel()
    assert [key for _, key in rung] == [2, 3, 1]
    assert [round(at) for at, _ in rung] == [10, 20, 30]


async def test_an_earlier_deadline_wakes_the_sleeping_actor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    alarms, mailbox = Alarms(), Mailbox()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_alarms, alarms)
        alarms.set(1, began + 1000, mailbox)
        await trio.testing.wait_all_tasks_blocked()
        alarms.set(1, began + 5, mailbox)
        assert await mailbox.receive() == TimerExpired()
        assert round(trio.current_time() - began) == 5
        nursery.cancel_scope.cancel()
    assert alarms.statistics().pending == 0


async def test_a_deadline_moved_later_does_not_ring_at_the_earlier_one() -> None:
    alarms, mailbox = Alarms(), Mailbox()
    alarms.set(1, 10.0, mailbox)
    alarms.set(1, 20.0, mailbox)
    alarms.ring(15.0)
    assert len(mailbox) == 0
    alarms.ring(20.0)
    assert len(mailbox) == 1


async def test_infinity_and_cancel_take_an_alarm_back() -> None:
    alarms, mailbox = Alarms(), Mailbox()
    alarms.set(1, 10.0, mailbox)
    alarms.set(1, math.inf, mailbox)
    alarms.set(2, 10.0, mailbox)
    alarms.cancel(2)
    alarms.cancel(3)
    alarms.ring(11.0)
    assert len(mailbox) == 0


async def test_an_alarm_of_a_restarted_association_rings_in_its_new_mailbox() -> None:
    alarms, old, new = Alarms(), Mailbox(), Mailbox()
    alarms.set(1, 10.0, old)
    alarms.set(1, 10.0, new)
    alarms.ring(10.0)
    assert (len(old), len(new)) == (0, 1)


async def test_a_killed_actor_loses_no_alarm(autojump_clock: trio.testing.MockClock) -> None:
    alarms, mailbox = Alarms(), Mailbox()
    alarms.set(1, trio.current_time() + 10, mailbox)
    with trio.move_on_after(5):
        await run_alarms(alarms)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_alarms, alarms)
        assert await mailbox.receive() == TimerExpired()
        nursery.cancel_scope.cancel()


async def test_outdated_entries_are_bounded() -> None:
    alarms, mailbox = Alarms(), Mailbox()
    for moved in range(10_000):
        alarms.set(moved % 3, 1000.0 + moved, mailbox)
    assert alarms.heap_size <= 2 * 3 + 64 + 1


Operations = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.integers(0, 50).map(float), st.just(math.inf)))
)


@given(Operations)
def test_what_rings_is_what_was_set_last(operations: list[tuple[int, float]]) -> None:
    alarms = Alarms()
    mailboxes = [Mailbox() for _ in range(6)]
    expected: dict[int, float] = {}
    for key, deadline in operations:
        alarms.set(key, deadline, mailboxes[key])
        expected[key] = deadline
    for now in (10.0, 25.0, 50.0):
        alarms.ring(now)
        rung = {key for key, deadline in expected.items() if deadline <= now}
        assert {key for key in range(6) if len(mailboxes[key])} == rung
    assert all(len(mailbox) <= 1 for mailbox in mailboxes)
