"""DNS names, with a resolver that says what a test wants."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.actors.names import (
    AT_ONCE,
    MAX_ADDRESSES,
    PATIENCE,
    RESOLVE_AGAIN,
    RETRY,
    Names,
    Unresolved,
    run_names,
    system_lookup,
)
from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.events import Address

A, B, C6 = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")
GW, HQ = "gw.example.org", "hq.example.org"


class Resolver:
    """Knows what it is told; a fault is raised, a number is how long it takes to say nothing."""

    def __init__(self) -> None:
        self.known: dict[str, object] = {}
        self.asked: list[tuple[float, str]] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, name: str) -> tuple[Address, ...]:
        self.asked.append((trio.current_time(), name))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(0.1)
            answer = self.known.get(name, socket.gaierror(socket.EAI_NONAME, "unknown"))
            if isinstance(answer, OSError):
                raise answer
            if isinstance(answer, float):
                await trio.sleep(answer)
                return ()
            assert isinstance(answer, tuple)
            return answer
        finally:
            self.at_once -= 1


class Told:
    """The names under test, and who is told."""

    def __init__(self, *names: str) -> None:
        self.resolver = Resolver()
        self.hub = ReportHub(lambda: 0.0)
        self.reports = self.hub.subscribe()
        self.names = Names(self.resolver, names, self.hub)
        self.changes = 0

    async def changed(self, _: bool) -> None:
        self.changes += 1

    async def said(self, name: str) -> list[str]:
        """The reports of a name; there will be no more."""
        self.reports.close()
        return [one.report.text async for one in self.reports if one.report.name == name]


@pytest.fixture
def told() -> Told:
    return Told(GW, HQ)


async def test_a_name_has_the_addresses_it_resolves_to(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = (A, C6, A)
    assert await told.names.resolve(GW) == (A, C6)
    assert told.names.addresses_of(GW) == (A, C6)
    assert told.names.names_of(C6) == (GW,)
    assert told.names.names_of(B) == ()


async def test_two_names_may_have_one_address(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known |= {GW: (A,), HQ: (A, B)}
    await told.names.resolve(GW)
    await told.names.resolve(HQ)
    assert told.names.names_of(A) == (GW, HQ)
    told.resolver.known[GW] = (B,)
    await told.names.resolve(GW)
    assert told.names.names_of(A) == (HQ,)
    assert told.names.names_of(B) == (HQ, GW)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "there is no such name (NXDOMAIN)"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "no name server answers"),
        (socket.gaierror(socket.EAI_FAIL, "its own words"), "its own words"),
        ((), "it has no address"),
        (1000.0, f"no name server answers within {PATIENCE:g} s"),
    ],
)
async def test_a_name_that_does_not_resolve_says_why(
    told: Told, answer: object, why: str, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = answer
    with pytest.raises(Unresolved) as caught:
        await told.names.resolve(GW)
    assert str(caught.value) == f"{GW} does not resolve: {why}"
    assert told.names.statistics().failures == 1


async def test_what_was_known_holds_while_a_name_does_not_resolve(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = (A,)
    await told.names.resolve(GW)
    del told.resolver.known[GW]
    assert not await told.names.refresh(GW)
    assert told.names.names_of(A) == (GW,)


async def test_of_very_many_addresses_some_are_taken(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = tuple(ip_address(number) for number in range(1, 1000))
    assert len(await told.names.resolve(GW)) == MAX_ADDRESSES


async def test_names_are_resolved_again_and_again_the_unknown_sooner(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = (A,)
    with trio.move_on_after(RESOLVE_AGAIN + 10):
        await run_names(told.names, told.changed)
    times = [at for at, name in told.resolver.asked if name == GW]
    assert len(times) == 2
    assert times[1] == pytest.approx(RESOLVE_AGAIN, abs=1)
    unknown = [at for at, name in told.resolver.asked if name == HQ]
    assert len(unknown) == pytest.approx(RESOLVE_AGAIN / RETRY, abs=1)
    assert told.changes == 1


async def test_a_problem_is_told_once_until_it_is_over(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known[GW] = (A,)
    with trio.move_on_after(RETRY * 5):
        await run_names(told.names, told.changed)
    expected = f"{HQ} does not resolve: there is no such name (NXDOMAIN); trying again in 30 s"
    assert await told.said("name-unresolved") == [expected]
    assert told.names.statistics().names == {GW: ("192.0.2.1",), HQ: ()}


async def test_a_name_that_has_moved_is_told(
    told: Told, autojump_clock: trio.testing.MockClock
) -> None:
    told.resolver.known |= {GW: (A,), HQ: (B,)}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_names, told.names, told.changed)
        await trio.sleep(1)
        told.resolver.known[GW] = (B,)
        await trio.sleep(RESOLVE_AGAIN + 1)
        nursery.cancel_scope.cancel()
    assert told.changes == 2
    assert (await told.said("name-resolved"))[-1] == f"{GW} is {B}"


async def test_few_names_are_looked_up_at_once(autojump_clock: trio.testing.MockClock) -> None:
    told = Told(*(f"host{number}.example.org" for number in range(100)))
    with trio.move_on_after(RETRY / 2):
        await run_names(told.names, told.changed)
    assert told.resolver.most_at_once == AT_ONCE
    assert len(told.resolver.asked) == 100


async def test_without_names_nothing_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    told = Told()
    with trio.move_on_after(10_000):
        await run_names(told.names, told.changed)
    assert told.resolver.asked == []


async def test_this_hosts_resolver_knows_localhost() -> None:
    assert ip_address("127.0.0.1") in await system_lookup("localhost")
