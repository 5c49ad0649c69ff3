"""Who answers what DNSSEC proves of names: in time, for all at once, and again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.actors.dnssec import MAX_PENDING, PATIENCE, NameProofs
from ikeactors.actors.reports import ReportHub
from ikeactors.errors import AuthenticationFailed, Fault
from ikeactors.protocol.events import Address

HERE = ip_address("192.0.2.1")
NOW = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Found:
    addresses: tuple[Address, ...] = ()
    keys: tuple[bytes, ...] = ()
    until: float = NOW + 300.0


class World:
    """Knows names; one that it does not know takes as long as it is told to."""

    def __init__(self, *names: str) -> None:
        self.known: dict[str, Found] = {"gw.example": Found((HERE,), (b"key",))}
        self.asked: list[str] = []
        self.takes = 0.0
        self.hub = ReportHub(lambda: NOW)
        self.answers: list[tuple[tuple[Address, ...], str]] = []
        self.began = trio.current_time()
        self.names = NameProofs(self, self.clock, self.hub, names)

    def clock(self) -> float:
        return NOW + trio.current_time() - self.began

    async def addresses(self, name: str) -> Found:
        self.asked.append(name)
        if name in self.known:
            return self.known[name]
        await trio.sleep(self.takes)
        raise Fault("A of it is not signed")

    keys = addresses

    def check(self, name: str) -> None:
        self.names.check(name, lambda *answer: self.answers.append(answer))


Start = Callable[..., Awaitable[World]]


@pytest.fixture
def start(nursery: trio.Nursery) -> Start:
    async def begin(*names: str) -> World:
        world = World(*names)
        nursery.start_soon(world.names.run)
        await trio.testing.wait_all_tasks_blocked()
        return world

    return begin


async def test_a_name_is_proven_and_remembered_while_that_holds(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start()
    for _ in range(2):
        world.check("GW.example")
        world.known["GW.example"] = world.known["gw.example"]
        await trio.sleep(1.0)
    assert world.answers == [((HERE,), "")] * 2
    assert world.asked == ["GW.example"]
    await trio.sleep(300.0)
    world.check("gw.example")
    await trio.sleep(1.0)
    assert world.asked == ["GW.example", "gw.example"]
    assert world.names.statistics().proven == 3


async def test_why_a_name_is_not_proven_is_told(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start()
    world.check("other.example")
    await trio.sleep(1.0)
    text = "DNSSEC proves no address of other.example: A of it is not signed"
    assert world.answers == [((), text)]


async def test_while_one_waits_no_other_does(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start()
    world.takes = 1e9
    world.check("slow.example")
    await trio.testing.wait_all_tasks_blocked()
    world.check("gw.example")
    await trio.sleep(0.1)
    assert world.answers == [((HERE,), "")]
    await trio.sleep(PATIENCE)
    text = "DNSSEC proves no address of slow.example: no name server has told within 15 s"
    assert world.answers[1:] == [((), text)]


async def test_more_names_than_are_borne_are_refused_at_once(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start()
    world.takes = 1e9
    for number in range(MAX_PENDING + 1):
        world.check(f"{number}.example")
    assert world.answers == [((), "too many names are being asked for")]
    assert world.names.statistics().pending == MAX_PENDING


async def test_what_a_crashed_actor_has_begun_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World()
    world.takes = 1e9
    world.check("slow.example")
    with trio.move_on_after(1.0):
        await world.names.run()
    with trio.move_on_after(1.0):
        await world.names.run()
    assert world.answers == [((), "the question was interrupted")]


async def test_the_keys_of_the_configuration_are_there_before_a_peer_is(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start("gw.example")
    assert world.names.keys_of("GW.example.") == (b"key",)
    with pytest.raises(AuthenticationFailed, match="no connection asks DNS for the keys of x"):
        world.names.keys_of("x")
    assert world.asked == ["gw.example"]


async def test_keys_are_asked_for_again_and_end_when_nobody_can_tell(
    start: Start, autojump_clock: trio.testing.MockClock
) -> None:
    world = await start("gw.example")
    world.known["gw.example"] = Found(keys=(b"new", b"key"), until=NOW + 600.0)
    await trio.sleep(280.0)
    assert world.names.keys_of("gw.example") == (b"new", b"key")
    world.known.clear()
    await trio.sleep(280.0)
    assert world.names.keys_of("gw.example") == (b"new", b"key")
    await trio.sleep(100.0)
    with pytest.raises(AuthenticationFailed, match=r"no key of gw\.example: A of it is not signed"):
        world.names.keys_of("gw.example")


async def test_keys_that_nobody_proves_are_told_of_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[str] = []
    world = World("other.example")
    original = world.hub.publish
    world.hub.publish = lambda report, *more: (told.append(report.text), original(report, *more))  # type: ignore[method-assign]
    with trio.move_on_after(200.0):
        await world.names.run()
    assert told == [
        "DNSSEC proves no key of other.example: A of it is not signed; trying again in 30 s"
    ]
    assert len(world.asked) > 3
