"""The inbox of an association."""

from __future__ import annotations

import gc
import sys

import pytest
import trio
import trio.testing

from ikeactors.actors.mailbox import LIMIT, Mailbox
from ikeactors.protocol.events import DatagramReceived, Event, Superseded, TimerExpired
from tests.fakes.associations import LOCAL, REMOTE


def datagram(number: int) -> DatagramReceived:
    return DatagramReceived(number.to_bytes(4, "big"), LOCAL, REMOTE)


async def test_events_are_received_in_the_order_in_which_they_came() -> None:
    mailbox = Mailbox()
    posted = [datagram(number) for number in range(5)]
    for event in posted:
        assert mailbox.post(event)
    assert len(mailbox) == 5
    assert [await mailbox.receive() for _ in posted] == posted
    assert len(mailbox) == 0


async def test_a_waiting_receiver_gets_what_is_posted_later() -> None:
    mailbox = Mailbox()
    received: list[Event] = []

    async def receive() -> None:
        received.append(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.post_assured(TimerExpired())
        mailbox.post_assured(Superseded(silent=True))
    assert received == [TimerExpired()]
    assert await mailbox.receive() == Superseded(silent=True)


async def test_what_overflows_from_the_network_is_dropped_and_counted() -> None:
    mailbox = Mailbox()
    accepted = [mailbox.post(datagram(number)) for number in range(LIMIT + 3)]
    assert accepted == [True] * LIMIT + [False] * 3
    assert (len(mailbox), mailbox.dropped) == (LIMIT, 3)


async def test_answers_to_own_requests_are_never_refused() -> None:
    mailbox = Mailbox()
    for number in range(LIMIT):
        mailbox.post(datagram(number))
    mailbox.post_assured(TimerExpired())
    assert (len(mailbox), mailbox.dropped) == (LIMIT + 1, 0)


async def test_a_cancelled_receiver_loses_no_event_and_leaves_the_place_free() -> None:
    mailbox = Mailbox()
    with trio.move_on_after(0) as waiting:
        await mailbox.receive()
    assert waiting.cancelled_caught
    mailbox.post(datagram(1))
    with trio.CancelScope() as taking:
        taking.cancel()
        await mailbox.receive()
    assert taking.cancelled_caught
    assert await mailbox.receive() == datagram(1)


async def test_filled_waits_and_takes_nothing() -> None:
    mailbox = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.filled)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.post(datagram(1))
    await mailbox.filled()
    assert len(mailbox) == 1


async def test_two_receivers_are_a_mistake() -> None:
    mailbox = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(AssertionError):
            await mailbox.receive()
        nursery.cancel_scope.cancel()


async def test_a_closed_mailbox_gives_back_what_waited_and_refuses_the_rest() -> None:
    mailbox = Mailbox()
    mailbox.post(datagram(1))
    assert mailbox.close() == [datagram(1)]
    assert not mailbox.post(datagram(2))
    mailbox.post_assured(TimerExpired())
    assert (len(mailbox), mailbox.dropped) == (0, 2)


def test_an_empty_mailbox_is_small() -> None:
    mailbox = Mailbox()
    parts = (part for part in gc.get_referents(mailbox) if isinstance(part, list))
    assert sys.getsizeof(mailbox) + sum(map(sys.getsizeof, parts)) <= 160
