"""Which mailbox a datagram is left in, and what happens to strangers' ones."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.mailbox import LIMIT, Mailbox
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.router import STRANGERS_LIMIT, Router, run_router
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.admission import Refused
from tests.fakes.associations import LOCAL, REMOTE

SPI_I, SPI_R, NONE = b"initiatr", b"respondr", bytes(8)
INIT, INFORMATIONAL = 34, 37
FROM_INITIATOR, RESPONSE = 0x08, 0x20
ELSEWHERE = Endpoint(ip_address("192.0.2.3"), 500)


def datagram(
    spi_r: bytes, flags: int, exchange: int = INFORMATIONAL, remote: Endpoint = REMOTE
) -> DatagramReceived:
    header = struct.pack(">8s8sBBBBII", SPI_I, spi_r, 0, 0x20, exchange, flags, 0, 28)
    return DatagramReceived(header, LOCAL, remote)


def router() -> Router:
    return Router(ReportHub(lambda: 0.0))


@dataclass
class Responders:
    """Notes for which datagrams a responder was to be made."""

    router: Router
    made: list[DatagramReceived] = field(default_factory=list)
    half_open: int = 0
    mailbox: Mailbox = field(default_factory=Mailbox)

    def half_open_of(self, address: Address) -> int:
        return 0

    def respond(self, stranger: DatagramReceived) -> None:
        self.made.append(stranger)
        self.router.expect(stranger.octets[:8], stranger.remote, self.mailbox)


async def test_the_initiator_flag_says_which_spi_is_ours() -> None:
    routes, ours_i, ours_r = router(), Mailbox(), Mailbox()
    routes.register(SPI_I, ours_i)
    routes.register(SPI_R, ours_r)
    routes.deliver(datagram(SPI_R, FROM_INITIATOR))
    assert (len(ours_i), len(ours_r)) == (0, 1)
    routes.deliver(datagram(SPI_R, RESPONSE))
    assert (len(ours_i), len(ours_r)) == (1, 1)


async def test_a_forgotten_spi_is_a_strangers_again() -> None:
    routes, mailbox = router(), Mailbox()
    routes.register(SPI_R, mailbox)
    routes.forget(SPI_R)
    routes.forget(SPI_R)
    routes.deliver(datagram(SPI_R, FROM_INITIATOR))
    assert len(mailbox) == 0
    assert routes.statistics().waiting == 1


async def test_a_retransmitted_first_request_belongs_to_its_responder() -> None:
    routes, mailbox = router(), Mailbox()
    routes.expect(SPI_I, REMOTE, mailbox)
    first = datagram(NONE, FROM_INITIATOR, INIT)
    routes.deliver(first)
    routes.deliver(datagram(NONE, FROM_INITIATOR, INIT, ELSEWHERE))
    assert (len(mailbox), routes.statistics().waiting) == (1, 1)
    routes.expect_no_more(SPI_I, REMOTE)
    routes.deliver(first)
    assert (len(mailbox), routes.statistics().waiting) == (1, 2)


async def test_a_full_mailbox_costs_the_datagram_and_is_counted() -> None:
    routes, mailbox = router(), Mailbox()
    routes.register(SPI_R, mailbox)
    for _ in range(LIMIT + 2):
        routes.deliver(datagram(SPI_R, FROM_INITIATOR))
    assert routes.statistics().dropped == (("mailbox-full", 2),)


@given(st.binary(max_size=80))
def test_any_octets_are_delivered_without_an_exception(octets: bytes) -> None:
    routes = router()
    routes.deliver(DatagramReceived(octets, LOCAL, REMOTE))
    statistics = routes.statistics()
    assert (statistics.waiting == 1) == (len(octets) >= 28)


async def test_a_flood_of_strangers_is_bounded_and_reported_in_a_few_lines() -> None:
    reports = ReportHub(lambda: 0.0)
    routes = Router(reports)
    with reports.subscribe() as subscription:
        for _ in range(STRANGERS_LIMIT + 1000):
            routes.deliver(datagram(SPI_R, FROM_INITIATOR))
        subscription.close()
        told = [published.report.text async for published in subscription]
    assert routes.statistics().waiting == STRANGERS_LIMIT
    assert len(told) == 10
    assert told[-1] == "512 datagrams dropped so far: admission-full"


async def test_reasons_of_drops_are_bounded() -> None:
    routes = router()
    for number in range(1000):
        routes.dropped(f"reason {number}")
    assert len(routes.statistics().dropped) == 65


async def test_strangers_are_admitted_answered_or_dropped() -> None:
    routes = router()
    responders, sent = Responders(routes), list[bytes]()
    verdicts = [None, Refused("cookie", b"reply"), Refused("malformed")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            run_router,
            routes,
            lambda *_: verdicts.pop(0),
            responders,
            lambda octets, *_: sent.append(octets),
        )
        for remote in (REMOTE, ELSEWHERE, ELSEWHERE):
            routes.deliver(datagram(NONE, FROM_INITIATOR, INIT, remote))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(responders.made) == 1
    assert sent == [b"reply"]
    assert routes.statistics().dropped == (("cookie", 1), ("malformed", 1))
    assert routes.statistics().admitted == 1


async def test_a_copy_that_waited_beside_its_original_makes_no_second_responder() -> None:
    routes = router()
    responders = Responders(routes)
    for _ in range(2):
        routes.deliver(datagram(NONE, FROM_INITIATOR, INIT))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_router, routes, lambda *_: None, responders, lambda *_: None)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(responders.made) == 1
    assert len(responders.mailbox) == 1


async def test_many_strangers_take_few_turns_of_the_loop_and_leave_others_theirs() -> None:
    routes, turns = router(), 0
    responders = Responders(routes)
    for port in range(100):
        remote = Endpoint(REMOTE.address, port)
        routes.deliver(datagram(NONE, FROM_INITIATOR, INIT, remote))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_router, routes, lambda *_: None, responders, lambda *_: None)
        while len(responders.made) < 100:
            turns += 1
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert 6 <= turns <= 12


async def test_a_crash_in_admission_leaves_delivery_and_the_other_strangers_alone() -> None:
    routes, mailbox = router(), Mailbox()
    routes.register(SPI_R, mailbox)
    responders = Responders(routes)
    for remote in (REMOTE, ELSEWHERE):
        routes.deliver(datagram(NONE, FROM_INITIATOR, INIT, remote))

    def crash(*_: object) -> None:
        raise AssertionError("a bug that a stranger found")

    with pytest.raises(AssertionError):
        await run_router(routes, crash, responders, lambda *_: None)
    routes.deliver(datagram(SPI_R, FROM_INITIATOR))
    assert len(mailbox) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_router, routes, lambda *_: None, responders, lambda *_: None)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [made.remote for made in responders.made] == [ELSEWHERE]


@pytest.mark.parametrize("spi_r, exchange", [(SPI_R, INIT), (NONE, INFORMATIONAL)])
async def test_what_only_resembles_a_repeated_first_request_goes_to_admission_once(
    spi_r: bytes, exchange: int, autojump_clock: trio.testing.MockClock
) -> None:
    routes, asked = router(), list[DatagramReceived]()
    responders = Responders(routes)
    routes.expect(SPI_I, REMOTE, responders.mailbox)

    def consider(stranger: DatagramReceived, now: float) -> Refused:
        asked.append(stranger)
        return Refused(None, "unknown")

    routes.deliver(datagram(spi_r, FROM_INITIATOR, exchange))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_router, routes, consider, responders, lambda *_: None)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert len(asked) == 1
