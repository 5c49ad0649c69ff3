"""The userspace back end and its actor over a socket pair in place of the TUN device."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from ikeactors.actors.userspace.backend import DRAIN_LIMIT, UserspaceBackend, run_userspace
from ikeactors.actors.userspace.plane import Plane
from ikeactors.actors.userspace.tun import Tun
from ikeactors.kernel.requests import KernelRefusal, Lifetime, PolicyRequest
from ikeactors.protocol.events import SaExpired
from tests.fakes.sas import packet, policy, sa


class FakeRoutes:
    """Routes that only keep what they are told."""

    def __init__(self) -> None:
        self.policies: list[PolicyRequest] = []
        self.is_closed = False
        self.refuses = False

    async def add(self, policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        if self.refuses:
            raise KernelRefusal(errno.ENETDOWN, "the route was refused")
        self.policies.extend(policies)

    async def remove(self, policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self.policies = [one for one in self.policies if one not in policies]

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.is_closed = True


class Bench:
    """A back end, the host's end of its device, and what it sends."""

    def __init__(self) -> None:
        near, self.host = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        near.setblocking(False)
        tun = Tun(near.detach(), "ike0")
        self.sent: list[bytes] = []
        plane = Plane(
            lambda octets, *_: self.sent.append(octets), tun.write, os.urandom,
            trio.current_time, trio.current_time,
        )  # fmt: skip
        self.routes = FakeRoutes()
        self.backend = UserspaceBackend(plane, tun, self.routes)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.backend.aclose()
    assert made.routes.is_closed
    made.host.close()


async def test_what_the_host_sends_is_sealed_also_by_the_successor(bench: Bench) -> None:
    await bench.backend.install((sa(),), (policy(),))
    for expected in (1, 2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_userspace, bench.backend)
            await wait_all_tasks_blocked()
            bench.host.send(packet())
            with trio.fail_after(5):
                while len(bench.sent) < expected:
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert [octets[4:8].hex() for octets in bench.sent] == ["00000001", "00000002"]


async def test_others_have_their_turn_between_bursts(bench: Bench) -> None:
    bench.host.setblocking(False)
    waiting = 0
    while waiting < 2 * DRAIN_LIMIT:
        try:
            bench.host.send(b"x")
        except BlockingIOError:
            break
        waiting += 1
    turns = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_userspace, bench.backend)
        while sum(bench.backend.statistics().drops.values()) < waiting:
            await trio.lowlevel.checkpoint()
            turns += 1
        nursery.cancel_scope.cancel()
    assert turns >= waiting // DRAIN_LIMIT


async def test_a_lifetime_that_begins_while_the_actor_waits_is_ended_in_time(
    autojump_clock: MockClock, bench: Bench
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_userspace, bench.backend)
        await wait_all_tasks_blocked()
        request = replace(sa(), lifetime=Lifetime(soft_seconds=10, hard_seconds=20))
        started_at = trio.current_time()
        await bench.backend.install((request,), ())
        events = bench.backend.events()
        assert await anext(events) == SaExpired(request.sa_id, hard=False)
        assert trio.current_time() - started_at == pytest.approx(10)
        assert await anext(events) == SaExpired(request.sa_id, hard=True)
        nursery.cancel_scope.cancel()


async def test_routes_come_and_go_with_their_policies(bench: Bench) -> None:
    await bench.backend.install((sa(),), (policy(),))
    assert bench.routes.policies == [policy()]
    moved = policy(destination="10.9.0.0/24")
    await bench.backend.move((sa().sa_id,), (sa(),), (policy(),), (moved,))
    assert bench.routes.policies == [moved]
    await bench.backend.remove((sa().sa_id,), (moved,))
    assert bench.routes.policies == []


async def test_a_refusal_of_either_part_leaves_nothing(bench: Bench) -> None:
    await bench.backend.install((sa(),), ())
    with pytest.raises(KernelRefusal):
        await bench.backend.install((sa(),), (policy(),))
    assert bench.routes.policies == []
    bench.routes.refuses = True
    with pytest.raises(KernelRefusal):
        await bench.backend.install((sa(5),), (policy(),))
    assert bench.backend.statistics().sas == 1
    assert bench.backend.statistics().policies == 0
