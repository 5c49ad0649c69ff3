"""The store actor: what is sent is durable before, and a store that fails costs no tunnel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from ikeactors.actors.keeper import RETRY_AFTER, Keeper, run_keeper
from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.store import MemoryStore, Opened, Row, StoreFailed, StoreIsNewer
from ikeactors.protocol.actions import Report
from ikeactors.protocol.events import RekeyRequested
from tests.pair import Pair


async def at_once(work: Callable[..., object], *arguments: object) -> object:
    """In place of a thread, which a clock that jumps does not wait for."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


class ReadOnly(MemoryStore):
    """While it fails, not even what is there can be removed."""

    def open(self) -> Opened:
        if self.fault:
            raise StoreFailed(self.fault)
        return super().open()

    def invalidate(self) -> None:
        if self.fault:
            raise StoreFailed(self.fault)
        super().invalidate()


class Newer(MemoryStore):
    """Written by a version to come."""

    def open(self) -> Opened:
        raise StoreIsNewer("schema 99")


@dataclass
class Desk:
    """A keeper in its surroundings, and a peer with an association that stands."""

    store: MemoryStore = field(default_factory=MemoryStore)
    reports: list[Report] = field(default_factory=list)
    since_boot: float = 100.0

    def __post_init__(self) -> None:
        self.keeper = Keeper(
            self.store, self.reports.append, lambda: self.since_boot, carry=at_once
        )
        self.pair = Pair().establish()
        self.peer = self.peer_of(1)
        self.keeper.everybody = lambda: [self.peer]

    def peer_of(self, number: int) -> Peer:
        peer = Peer(number, "gw")
        peer.association = self.pair.west.association
        peer.children = ("net",)
        peer.established = True
        return peer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_keeper, self.keeper)
            await self.keeper.open()
            yield
            nursery.cancel_scope.cancel()

    async def written(self) -> None:
        with trio.fail_after(5):
            await self.keeper.durable()

    async def kept(self) -> list[Kept]:
        """What a successor finds."""
        return await Keeper(self.store, self.reports.append, lambda: self.since_boot).open()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with made.running():
        yield made


async def test_what_is_marked_is_there_for_a_successor(desk: Desk) -> None:
    desk.keeper.mark(desk.peer)
    await desk.written()
    desk.since_boot += 7.0
    (kept,) = await desk.kept()
    assert (kept.number, kept.initiates, kept.children) == (1, True, ("net",))
    assert kept.elapsed == 7.0
    assert kept.checkpoint.connection == "gw"
    assert kept.checkpoint.children[0].name == "net"


async def test_an_association_that_is_marked_often_is_written_once(desk: Desk) -> None:
    for _ in range(10):
        desk.keeper.mark(desk.peer)
    await desk.written()
    assert desk.store.commits == 1
    assert len(desk.store.rows) == 1


async def test_many_associations_are_in_one_commit(desk: Desk) -> None:
    peers = [desk.peer_of(number) for number in range(2, 30)]
    for peer in peers:
        desk.keeper.mark(peer)
    await desk.written()
    assert desk.store.commits == 1
    assert sorted(desk.store.rows) == sorted(peer.kept for peer in peers)


async def test_the_newest_checkpoint_is_in_the_place_of_the_one_before(desk: Desk) -> None:
    for wanted in (1, 1):
        desk.keeper.mark(desk.peer)
        await desk.written()
        assert len(desk.store.rows) == wanted
    before = desk.store.rows[1]
    desk.pair.give(desk.pair.west, RekeyRequested("net"))
    desk.keeper.mark(desk.peer)
    await desk.written()
    assert desk.store.rows[1].octets != before.octets


async def test_what_is_forgotten_is_kept_no_more(desk: Desk) -> None:
    desk.keeper.mark(desk.peer)
    await desk.written()
    desk.keeper.forget(desk.peer)
    await desk.written()
    assert desk.store.rows == {}
    desk.keeper.mark(desk.peer)
    await desk.written()
    assert list(desk.store.rows) == [2]


async def test_one_that_was_never_written_is_forgotten_without_a_word(desk: Desk) -> None:
    desk.keeper.forget(desk.peer)
    await desk.written()
    assert desk.store.commits == 0


async def test_who_is_in_a_workers_hands_is_written_after_its_step(desk: Desk) -> None:
    association = desk.peer.association
    assert association is not None
    desk.peer.shown = association.snapshot(0.0)
    desk.keeper.mark(desk.peer)
    await desk.written()
    assert desk.store.rows == {}
    desk.peer.shown = None
    desk.keeper.mark(desk.peer)
    await desk.written()
    assert len(desk.store.rows) == 1


async def test_a_successor_counts_on_and_keeps_numbers_apart(desk: Desk) -> None:
    desk.keeper.mark(desk.peer)
    await desk.written()
    successor = Keeper(desk.store, desk.reports.append, lambda: 0.0)
    await successor.open()
    other = desk.peer_of(9)
    successor.mark(other)
    await successor.commit_waiting()
    assert other.kept == 2


async def test_before_it_is_known_what_is_kept_nothing_is_written() -> None:
    desk = Desk()
    desk.store.rows[1] = Row(0.0, b"of the process before")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_keeper, desk.keeper)
        desk.keeper.mark(desk.peer)
        await wait_all_tasks_blocked()
        assert desk.store.commits == 0
        await desk.keeper.open()
        await desk.written()
        assert desk.peer.kept == 2
        nursery.cancel_scope.cancel()


async def test_one_that_never_opened_closes() -> None:
    desk = Desk()
    desk.keeper.mark(desk.peer)
    await desk.keeper.aclose()
    assert desk.store.rows == {}


async def test_a_store_that_fails_is_told_once_and_nobody_waits_for_it(desk: Desk) -> None:
    desk.keeper.mark(desk.peer)
    await desk.written()
    desk.store.fault = "the disk is full"
    for _ in range(3):
        desk.keeper.mark(desk.peer)
        await desk.written()
    assert [report.name for report in desk.reports] == ["store-failed"]
    assert "the disk is full" in desk.reports[0].text
    # What is there is not true any more.
    assert desk.store.rows == {}
    assert desk.keeper.statistics().is_failing


async def test_when_it_is_back_everybody_is_written(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.keeper.mark(desk.peer)
    await desk.written()
    desk.store.fault = "the disk is full"
    desk.keeper.mark(desk.peer)
    await desk.written()
    desk.store.fault = ""
    other = desk.peer_of(2)
    desk.keeper.everybody = lambda: [desk.peer, other]
    await trio.sleep(RETRY_AFTER + 1.0)
    desk.keeper.mark(desk.peer)
    await wait_all_tasks_blocked(0.01)
    assert len(desk.store.rows) == 2
    assert [report.name for report in desk.reports] == ["store-failed", "store-recovered"]
    assert not desk.keeper.statistics().is_failing


async def test_what_could_not_be_removed_is_gone_before_anything_is_written(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A disk that was read-only still has what is not true any more."""
    desk = Desk(store=ReadOnly())
    desk.store.rows[7] = Row(0.0, b"of a process before")
    desk.store.fault = "the disk is read-only"
    async with desk.running():
        desk.keeper.mark(desk.peer)
        await desk.written()
        assert list(desk.store.rows) == [7]
        desk.store.fault = ""
        await trio.sleep(RETRY_AFTER + 1.0)
        desk.keeper.mark(desk.peer)
        await wait_all_tasks_blocked(0.01)
        assert list(desk.store.rows) == [1]


async def test_a_store_of_a_newer_version_is_not_touched() -> None:
    desk = Desk(store=Newer())
    desk.store.rows[7] = Row(0.0, b"of a newer version")
    async with desk.running():
        desk.keeper.mark(desk.peer)
        await desk.written()
        desk.keeper.forget(desk.peer)
        await wait_all_tasks_blocked(0.01)
        await desk.keeper.aclose()
    assert list(desk.store.rows) == [7]
    assert desk.store.commits == 0
    (report,) = desk.reports
    assert "schema 99" in report.text
    assert desk.keeper.statistics().is_failing


@pytest.mark.parametrize("octets", [b"text", b"\x90"])
async def test_what_cannot_be_read_is_dropped_and_told(desk: Desk, octets: bytes) -> None:
    desk.store.rows[5] = Row(0.0, octets)
    successor = Keeper(desk.store, desk.reports.append, lambda: 0.0)
    assert await successor.open() == []
    assert [report.name for report in desk.reports] == ["association-not-restored"]
    await successor.commit_waiting()
    assert desk.store.rows == {}


async def test_what_waits_is_written_before_it_closes() -> None:
    desk = Desk()
    await desk.keeper.open()
    desk.keeper.mark(desk.peer)
    await desk.keeper.aclose()
    assert len(desk.store.rows) == 1


def test_a_checkpoint_is_not_in_what_is_shown_of_a_row() -> None:
    assert "secret" not in repr(Row(0.0, b"secret"))
