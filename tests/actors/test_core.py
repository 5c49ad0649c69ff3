"""Strangers as admission and the half-open counters see them together: a flood."""

from __future__ import annotations

import gc
import hmac
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from types import FrameType
from typing import cast

import pytest

from ikeactors.actors.core import NO_ROOM, consider
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.peers import Peers
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.router import STRANGERS_LIMIT, Refusal, Router
from ikeactors.iana import NotifyType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits
from ikeactors.wire.message import notifies, read_message, write_message
from ikeactors.wire.payload import Notify
from tests.pair import Pair, SeededEntropy

SPOOFED = 100_000
OURS = b"ourownsp"


@dataclass
class HalfOpen:
    """The half-open responders: nobody ever comes back."""

    by_address: Counter[Address] = field(default_factory=Counter)
    has_room: bool = True

    @property
    def half_open(self) -> int:
        return self.by_address.total()

    def half_open_of(self, address: Address) -> int:
        return self.by_address[address]

    def is_suspect(self, address: Address, now: float) -> bool:
        return False

    def admits(self, address: Address) -> bool:
        return self.has_room


def first_request() -> DatagramReceived:
    pair = Pair()
    pair.initiate()
    return pair.flights[0].datagram


def spoofed(first: DatagramReceived, count: int) -> Iterator[DatagramReceived]:
    """The request from as many addresses, each with an SPI of its own."""
    for number in range(1, count + 1):
        remote = Endpoint(IPv4Address(0x0A000000 + number), 500)
        yield DatagramReceived(number.to_bytes(8, "big") + first.octets[8:], first.local, remote)


def admission(**limits: int) -> Admission:
    return Admission(SeededEntropy("flood"), AdmissionLimits(**limits), Allowance(100, 100))


def asked(guard: Admission, peers: HalfOpen, datagram: DatagramReceived) -> Refusal | None:
    refusal = consider(guard, cast("Peers", peers), datagram, 7.0)
    if refusal is None:
        peers.by_address[datagram.remote.address] += 1
    return refusal


def calls(step: Callable[[], object]) -> Counter[str]:
    """What a step calls, by its name."""
    counted: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            counted[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            counted[getattr(argument, "__name__", "?")] += 1

    former = sys.getprofile()
    # What a collector calls is none of the step's.
    gc.disable()
    sys.setprofile(count)
    try:
        step()
    finally:
        sys.setprofile(former)
        gc.enable()
    return counted


def test_a_flood_of_spoofed_requests_leaves_nothing_behind() -> None:
    """J1 (RFC 8019 section 3)"""
    first, guard, peers = first_request(), admission(), HalfOpen()
    for datagram in spoofed(first, SPOOFED):
        refusal = asked(guard, peers, datagram)
        if refusal is not None:
            assert refusal.reply is not None
            assert len(refusal.reply) < len(datagram.octets)
    assert peers.half_open == guard.limits.cookie_threshold
    assert not guard._cookies._spent
    refusal = asked(guard, peers, first)
    assert refusal is not None
    assert refusal.reply is not None
    (cookie,) = notifies(read_message(refusal.reply).payloads, NotifyType.COOKIE)
    message = read_message(first.octets)
    again = replace(message, payloads=(Notify(NotifyType.COOKIE, cookie.data), *message.payloads))
    assert asked(guard, peers, replace(first, octets=write_message(again))) is None


@pytest.mark.parametrize(("puzzle_threshold", "macs"), [(0, 1), (30, 1)])
def test_a_request_costs_as_much_after_a_flood_as_before(puzzle_threshold: int, macs: int) -> None:
    """J1"""
    first, guard, peers = first_request(), admission(puzzle_threshold=puzzle_threshold), HalfOpen()
    flood = list(spoofed(first, 2000))
    for datagram in flood[:100]:
        asked(guard, peers, datagram)
    before = calls(lambda: asked(guard, peers, flood[100]))
    for datagram in flood[101:-1]:
        asked(guard, peers, datagram)
    after = calls(lambda: asked(guard, peers, flood[-1]))
    assert before == after
    assert after[hmac.digest.__name__] == macs


def test_a_forged_cookie_costs_two_macs() -> None:
    """J2"""
    first, guard, peers = first_request(), admission(cookie_threshold=1), HalfOpen()
    asked(guard, peers, first)
    message = read_message(first.octets)
    for octets, macs in ((bytes(64), 1), (b"\1" + bytes(36), 2)):
        forged = (Notify(NotifyType.COOKIE, octets), *message.payloads)
        request = replace(first, octets=write_message(replace(message, payloads=forged)))
        asked(guard, peers, request)
        spent = calls(lambda request=request: asked(guard, peers, request))
        assert spent[hmac.digest.__name__] == macs


async def test_a_flood_of_strangers_keeps_nothing_from_those_who_have_an_association() -> None:
    """J1"""
    first, routes, established = first_request(), Router(ReportHub(lambda: 0.0)), Mailbox()
    routes.register(OURS, established)
    message = replace(first, octets=first.octets[:8] + OURS + first.octets[16:])
    for number, datagram in enumerate(spoofed(first, SPOOFED)):
        routes.deliver(datagram)
        if number % 1000 == 0:
            routes.deliver(message)
            assert await established.receive() == message
    statistics = routes.statistics()
    assert (statistics.waiting, statistics.delivered) == (STRANGERS_LIMIT, SPOOFED // 1000)
    assert statistics.dropped == (("admission-full", SPOOFED - STRANGERS_LIMIT),)


async def test_a_daemon_that_is_full_admits_nobody() -> None:
    full = HalfOpen(has_room=False)
    assert asked(admission(), full, first_request()) == NO_ROOM
