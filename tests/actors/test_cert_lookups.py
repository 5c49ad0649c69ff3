"""Certificates by hash and URL: fetched once, compared, and always answered."""

from __future__ import annotations

import hashlib

import trio

from ikeactors.actors.cert_lookups import MAX_PENDING, CertificateLookups
from ikeactors.actors.fetching import Unfetchable, Wanted
from ikeactors.actors.unchecked import fetch_nothing

URL = "http://certs/one"
OCTETS = b"a certificate"
HASH = hashlib.sha1(OCTETS).digest()

Found = tuple[tuple[bytes, ...], tuple[str, ...]]


class World:
    def __init__(self) -> None:
        self.asked: list[Wanted] = []
        self.takes = 0.0
        self.found: list[Found] = []
        self.lookups = CertificateLookups(self.fetch, 10.0)

    async def fetch(self, wanted: Wanted) -> bytes:
        self.asked.append(wanted)
        await trio.sleep(self.takes)
        if wanted.url != URL:
            raise Unfetchable("it answers 404")
        return OCTETS

    def look_up(self, *names: tuple[bytes, str]) -> None:
        self.lookups.look_up(names, lambda *answer: self.found.append(answer))


async def test_a_certificate_is_fetched_and_remembered(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """(RFC 7296 section 3.6)"""
    world = World()
    nursery.start_soon(world.lookups.run)
    for _ in range(3):
        world.look_up((HASH, URL))
        await trio.sleep(1)
    assert world.found == [((OCTETS,), ())] * 3
    assert len(world.asked) == 1
    assert world.asked[0].limit == 32 * 1024


async def test_each_that_is_missing_has_its_reason(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """E21"""
    world = World()
    nursery.start_soon(world.lookups.run)
    world.look_up((bytes(20), URL), (HASH, "http://certs/two"), (HASH, URL))
    await trio.sleep(1)
    ((found, failures),) = world.found
    assert found == (OCTETS,)
    assert failures == (
        f"{URL}: what is there has another hash",
        "http://certs/two: it answers 404",
    )


async def test_a_slow_server_keeps_nobody_for_ever_and_nobody_else(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = World()
    nursery.start_soon(world.lookups.run)
    world.takes = 1000.0
    world.look_up((HASH, URL))
    await trio.sleep(1)
    world.takes = 0.0
    world.look_up((HASH, URL))
    await trio.sleep(1)
    assert world.found == [((OCTETS,), ())]
    await trio.sleep(10)
    assert world.found[1] == ((), ("not all is there within 10 s",))


async def test_too_many_are_answered_at_once() -> None:
    world = World()
    for _ in range(MAX_PENDING + 1):
        world.look_up((HASH, URL))
    assert world.found == [((), ("too many certificates are being fetched",))]


async def test_who_waits_is_answered_after_a_crash(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World()
    world.takes = 5.0
    world.look_up((HASH, URL))
    with trio.move_on_after(1):
        await world.lookups.run()
    with trio.move_on_after(1):
        await world.lookups.run()
    assert world.found == [((), ("the lookup was interrupted",))]


def test_a_daemon_without_certificates_fetches_none() -> None:
    found: list[Found] = []
    fetch_nothing(((HASH, URL),), lambda *answer: found.append(answer))
    assert found == [((), ("this daemon fetches no certificates",))]
