"""Who starts an actor again when it dies, how often, and when that is given up: OTP's words.

A supervisor's children run in its nursery. A child that ends or raises is started again as its
restart type says, after a back-off; more restarts than the intensity allows within its period,
and the supervisor itself gives up, which is its own supervisor's affair. Cancellation passes
through. This is the only place where any exception is caught.
"""

from __future__ import annotations

import enum
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, TypeVarTuple

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.actions import Level, Report

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# Frames of a traceback in a report: the innermost ones tell what happened.
_FRAMES = 12


class Restart(enum.Enum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # when it crashed
    TEMPORARY = "temporary"  # never


class Strategy(enum.Enum):
    """Who is started again with a child that has crashed."""

    ONE_FOR_ONE = "one_for_one"  # nobody else
    REST_FOR_ONE = "rest_for_one"  # those started after it


@dataclass(frozen=True, slots=True)
class Intensity:
    """How many restarts are borne within `period` seconds."""

    restarts: int = 5
    period: float = 60.0


@dataclass(frozen=True, slots=True)
class BackOff:
    """The wait before a restart: doubled each time up to `limit`, a part of it left to chance."""

    first: float = 0.1
    limit: float = 5.0
    jitter: float = 0.5

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds before restart number `attempt` (from 1); `chance` is in [0, 1)."""
        # The exponent is bounded because a float is.
        longest = min(self.limit, self.first * 2.0 ** min(attempt - 1, 64))
        return longest * (1 - self.jitter * chance)


@dataclass(frozen=True, slots=True)
class ChildSpecification:
    """An actor, how to start it, and when to start it again."""

    name: str
    start: Callable[[], Awaitable[object]]
    restart: Restart = Restart.PERMANENT


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """The actor came to its end."""

    result: T


@dataclass(frozen=True, slots=True)
class Crashed:
    """The actor raised. The traceback shows no local variable: those hold secrets."""

    kind: str
    text: str
    traceback: str


class IntensityExceeded(Exception):
    """A supervisor gave up: its children crashed too often."""


async def attempt(
    start: Callable[[*Arguments], Awaitable[T]], *arguments: *Arguments
) -> Ended[T] | Crashed:
    """Run an actor to its end, whatever that is."""
    try:
        return Ended(await start(*arguments))
    except Exception as fault:
        return _crashed(fault)


def restarts_within(history: Sequence[float], now: float, period: float) -> tuple[float, ...]:
    """The restarts of the last `period` seconds."""
    return tuple(at for at in history if now - at < period)


@dataclass(frozen=True, slots=True)
class ChildStatistics:
    """One child of a supervisor."""

    name: str
    running: bool
    restarts: int
    last_crash: str


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """A supervisor and its children."""

    name: str
    restarts: int
    children: tuple[ChildStatistics, ...]


class _Child:
    """What a supervisor knows of a running child."""

    def __init__(self, specification: ChildSpecification) -> None:
        self.specification = specification
        self.running = False
        self.restarts = 0
        self.last_crash = ""

    def statistics(self) -> ChildStatistics:
        return ChildStatistics(
            self.specification.name, self.running, self.restarts, self.last_crash
        )


class Supervisor:
    """Keeps its children running."""

    def __init__(
        self,
        name: str,
        children: Sequence[ChildSpecification],
        hub: ReportHub,
        chance: Callable[[], float],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = Intensity(),
        back_off: BackOff = BackOff(),
    ) -> None:
        self.name = name
        self._children = [_Child(one) for one in children]
        self._hub = hub
        self._chance = chance
        self._strategy = strategy
        self._intensity = intensity
        self._back_off = back_off
        self._recent: deque[float] = deque()
        self._restarts = 0

    async def run(self) -> None:
        """Start the children and keep them; ends when all have ended for good."""
        if self._strategy is Strategy.REST_FOR_ONE:
            await self._keep_rest(0)
            return
        async with trio.open_nursery() as nursery:
            for child in self._children:
                nursery.start_soon(self._keep, child)

    def statistics(self) -> SupervisorStatistics:
        """What the admin socket shows."""
        children = tuple(child.statistics() for child in self._children)
        return SupervisorStatistics(self.name, self._restarts, children)

    async def _keep(self, child: _Child) -> None:
        while await self._once(child):
            await self._pause(child)

    async def _keep_rest(self, index: int) -> None:
        """Keep this child and, within its life, those after it."""
        if index == len(self._children):
            return
        child = self._children[index]
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_rest, index + 1)
                again = await self._once(child)
                if again:
                    nursery.cancel_scope.cancel()
            if not again:
                return
            await self._pause(child)

    async def _once(self, child: _Child) -> bool:
        """Run a child to its end; whether it is to be started again."""
        child.running = True
        try:
            end: Ended[Any] | Crashed = await attempt(child.specification.start)
        finally:
            child.running = False
        if isinstance(end, Crashed):
            child.last_crash = f"{end.kind}: {end.text}"
            self._hub.publish(crash_report(child.specification.name, end))
            return child.specification.restart is not Restart.TEMPORARY
        return child.specification.restart is Restart.PERMANENT

    async def _pause(self, child: _Child) -> None:
        now = trio.current_time()
        self._recent = deque(restarts_within(self._recent, now, self._intensity.period))
        self._recent.append(now)
        if len(self._recent) > self._intensity.restarts:
            raise IntensityExceeded(
                f"{self.name}: more than {self._intensity.restarts} restarts within"
                f" {self._intensity.period:g} s, the last of {child.specification.name}"
            )
        self._restarts += 1
        child.restarts += 1
        await trio.sleep(self._back_off.delay(len(self._recent), self._chance()))


def crash_report(actor: str, crash: Crashed, connection: str = "") -> Report:
    """What an operator is told of a crash."""
    return Report(
        "actor-crashed",
        f"the actor {actor} crashed: {crash.kind}: {crash.text}",
        Level.ERROR,
        connection,
        {"actor": actor, "fault": crash.kind, "traceback": crash.traceback},
    )


def _crashed(fault: Exception) -> Crashed:
    lines = traceback.format_exception(type(fault), fault, fault.__traceback__, limit=-_FRAMES)
    return Crashed(type(fault).__name__, str(fault), "".join(lines))
