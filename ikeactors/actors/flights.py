"""What several wait for is fetched once: one fetch of a kind at a time, and not again and again
where it fails. It goes on when those who wait for it have lost their patience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from ikeactors.errors import Fault

T = TypeVar("T")

# Ours: who has just failed is not asked by the next peer, too, in seconds.
FAILED_FOR = 60.0
# Ours: each is a connection, and at most as many octets as a list may have.
_AT_ONCE = 8
# Ours: beyond that the oldest failures are forgotten.
_MAX_FAILURES = 1024


class Unreached(Fault):
    """What was to be fetched is not here; the text says why."""


class _Flight(Generic[T]):
    """A fetch under way, and what comes of it."""

    __slots__ = ("_result", "failure", "landed")

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.failure = ""
        self._result: list[T] = []

    def succeed(self, result: T) -> None:
        self._result.append(result)

    def result(self) -> T:
        """What has come of it. Raises `Unreached`."""
        if not self._result:
            raise Unreached(self.failure or "it was interrupted")
        return self._result[0]


class Flights(Generic[T]):
    """All fetches under way, by what they are for; those that failed a moment ago too."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight[T]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._limiter = trio.CapacityLimiter(_AT_ONCE)
        self.nursery: trio.Nursery | None = None

    async def share(self, key: str, fetch: Callable[[], Awaitable[T]]) -> T:
        """What `fetch` comes to, which may be under way already. Raises `Unreached`."""
        failed_at, failure = self._failed.get(key, (0.0, ""))
        if failure and trio.current_time() < failed_at + FAILED_FOR:
            raise Unreached(f"{failure}, a moment ago")
        flight = self._under_way.get(key)
        if flight is None:
            assert self.nursery is not None, "its actor does not run"
            flight = self._under_way[key] = _Flight()
            self.nursery.start_soon(self._fly, key, flight, fetch)
        await flight.landed.wait()
        return flight.result()

    async def _fly(self, key: str, flight: _Flight[T], fetch: Callable[[], Awaitable[T]]) -> None:
        try:
            async with self._limiter:
                flight.succeed(await fetch())
            self._failed.pop(key, None)
        except Fault as fault:
            flight.failure = str(fault)
            self._failed.pop(key, None)
            self._failed[key] = trio.current_time(), flight.failure
            if len(self._failed) > _MAX_FAILURES:
                del self._failed[next(iter(self._failed))]
        finally:
            del self._under_way[key]
            flight.landed.set()
