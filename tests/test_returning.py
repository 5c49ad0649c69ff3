"""What a daemon finds of the one before it: one association that cannot go on hinders no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
import trio
import trio.testing

from ikeactors.actors.keeper import Keeper
from ikeactors.actors.peers import Peers
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.routes import Route, Routes, Routing
from ikeactors.actors.xfrm_routes import RoutedBackend
from ikeactors.kernel.requests import KernelRefusal
from ikeactors.protocol.ikev2.stored import Unrestorable
from ikeactors.returning import sweep, take_back
from tests.fakes.kernel import SimulatedKernel


@dataclass
class FakeKept:
    """One that was kept; `fault` is what it raises when it is to go on."""

    number: int
    fault: Exception | None = None
    stain: Exception | None = None


@dataclass
class FakeKeeper:
    rows: list[FakeKept]
    dropped: dict[int, tuple[str, bool]] = field(default_factory=dict)

    async def open(self) -> list[FakeKept]:
        return self.rows

    def drop(self, number: int, why: str, traceback: str = "") -> None:
        self.dropped[number] = why, bool(traceback)


@dataclass
class FakePeers:
    back: list[int] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)

    def everybody(self) -> list[object]:
        return []

    def take_back(self, kept: FakeKept) -> None:
        if kept.fault is not None:
            raise kept.fault
        self.back.append(kept.number)

    async def clear_away(self, kept: FakeKept) -> None:
        if kept.stain is not None:
            raise kept.stain
        self.cleared.append(kept.number)


@pytest.mark.parametrize(
    ("fault", "why", "is_ours"),
    [
        (Unrestorable("of another version"), "of another version", False),
        (ZeroDivisionError("our mistake"), "ZeroDivisionError: our mistake", True),
    ],
)
async def test_one_that_cannot_go_on_hinders_no_other(
    fault: Exception, why: str, is_ours: bool
) -> None:
    keeper = FakeKeeper([FakeKept(1), FakeKept(2, fault), FakeKept(3)])
    peers = FakePeers()
    await take_back(cast(Keeper, keeper), cast(Peers, peers))
    assert peers.back == [1, 3]
    assert peers.cleared == [2]
    assert keeper.dropped == {2: (why, is_ours)}


async def test_what_cannot_even_be_cleared_away_hinders_nothing() -> None:
    rows = [FakeKept(1, KeyError("a"), OSError("b")), FakeKept(2)]
    keeper, peers = FakeKeeper(rows), FakePeers()
    await take_back(cast(Keeper, keeper), cast(Peers, peers))
    assert peers.back == [2]
    assert list(keeper.dropped) == [1]


async def test_without_a_store_nothing_is_taken_back() -> None:
    peers = FakePeers()
    await take_back(None, cast(Peers, peers))
    assert peers.back == []


class FakeWay:
    """A way without routes."""

    def open(self, ip: object) -> None:
        pass

    def routes_of(self, ip: object, policy: object) -> list[Route]:
        return []


class SweptRoutes(Routes):
    """Routes that only note that they were swept."""

    def __init__(self, refusal: KernelRefusal | None = None) -> None:
        super().__init__(FakeWay(), Routing())
        self.swept_at: float | None = None
        self._refusal = refusal

    async def sweep(self) -> None:
        await trio.lowlevel.checkpoint()
        self.swept_at = trio.current_time()
        if self._refusal is not None:
            raise self._refusal


def routed(routes: Routes) -> RoutedBackend:
    return RoutedBackend(SimulatedKernel(), routes, 5)


async def test_a_predecessors_routes_go_at_once_where_it_has_left_nothing_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    routes, began = SweptRoutes(), trio.current_time()
    await sweep(routed(routes), 0, ReportHub(lambda: 0.0), trio.Event())
    assert routes.swept_at == began


async def test_a_predecessors_routes_stay_while_its_associations_come_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    routes, began = SweptRoutes(), trio.current_time()
    await sweep(routed(routes), 3, ReportHub(lambda: 0.0), trio.Event())
    assert routes.swept_at is not None
    assert routes.swept_at >= began + 30


async def test_routes_are_left_by_a_daemon_that_stops_before_it_has_swept_them() -> None:
    routes, stopping = SweptRoutes(), trio.Event()
    stopping.set()
    await sweep(routed(routes), 3, ReportHub(lambda: 0.0), stopping)
    assert routes.swept_at is None


async def test_routes_that_cannot_be_taken_away_are_reported() -> None:
    hub = ReportHub(lambda: 0.0)
    with hub.subscribe() as reports:
        await sweep(routed(SweptRoutes(KernelRefusal(1, "no"))), 0, hub, trio.Event())
        assert (await anext(reports)).report.name == "routes-left"
