"""The store actor: checkpoints of associations, many in one commit.

An association's actor marks it after a step, and where the step sends anything new it waits until
that is durable. Who is marked while a commit is under way is in the next one. A checkpoint is taken
when its commit begins: an association that has taken several steps meanwhile is written once.

When the store fails the daemon goes on and says so; what was kept before is made invalid, since
message IDs in it would come to be used twice: at once if that can be, and else before anything else
is written. With the store back all associations are written. One of a newer version is left alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgpack
import trio

from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.store import Row, SetAside, Store, StoreFailed, StoreIsNewer
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.ikev2.stored import Unrestorable, read_checkpoint, write_checkpoint

Carry = Callable[..., Awaitable[Any]]

# Seconds until a store that has failed is tried again.
RETRY_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class KeeperStatistics:
    """Associations that wait to be written, commits, rows in them, and failures."""

    waiting: int
    commits: int
    rows: int
    failures: int
    is_failing: bool


class Keeper:
    """Who is to be written; it outlives the actor.

    `clock` counts from the host's boot, `carry` calls a function of the store in a thread.
    """

    def __init__(
        self,
        store: Store,
        publish: Callable[[Report], None],
        clock: Callable[[], float],
        carry: Carry = trio.to_thread.run_sync,
    ) -> None:
        self._store = store
        self._carry = carry
        self._publish = publish
        self._clock = clock
        self._numbers = itertools.count(1)
        self._marked: dict[Peer, None] = {}
        self._pending: dict[int, Row | SetAside | None] = {}
        # A store is for one thread at a time.
        self._turn = trio.Lock()
        self._writer = trio.lowlevel.ParkingLot()
        # Who waits for the commit that is under way, and for the one after it.
        self._now_waiting = trio.lowlevel.ParkingLot()
        self._next_waiting = trio.lowlevel.ParkingLot()
        self._opened = trio.Event()
        self._marks = 0
        self._under_way = 0
        self._durable = 0
        self._failing_until: float | None = None
        # Whether something may be kept that is not true any more.
        self._is_stale = False
        self._commits = self._rows = self._failures = 0
        self.everybody: Callable[[], Iterable[Peer]] = tuple

    async def open(self) -> list[Kept]:
        """What was kept; a store that cannot be opened is tried again later.

        Until then nothing is written: a number may be that of what is kept.
        """
        try:
            opened = await self._carry(self._store.open)
        except StoreIsNewer as fault:
            self._fail(fault)
            self._failing_until = math.inf
            return []
        except StoreFailed as fault:
            self._fail(fault)
            self._opened.set()
            return []
        self._opened.set()
        for remark in opened.remarks:
            self._publish(Report("store-remark", remark, Level.WARNING))
        self._numbers = itertools.count(max(opened.rows, default=0) + 1)
        return list(self._read(opened.rows))

    def _read(self, rows: dict[int, Row]) -> Iterator[Kept]:
        now = self._clock()
        for number, row in rows.items():
            try:
                kept = _kept(number, row, now)
            except Unrestorable as fault:
                self.drop(number, str(fault))
            else:
                yield kept

    def drop(self, number: int, why: str, traceback: str = "") -> None:
        """What is kept under this number is of no use; a crash of ours is left to be looked at."""
        text = f"an association that was kept cannot go on: {why}"
        level = Level.ERROR if traceback else Level.WARNING
        self._publish(Report("association-not-restored", text, level))
        self._pending[number] = SetAside(f"{why}\n{traceback}") if traceback else None
        self._wake()

    def mark(self, peer: Peer) -> None:
        """The association is not what it was when it was written last."""
        if not self._is_resting():
            self._marked[peer] = None
            self._wake()

    def forget(self, peer: Peer) -> None:
        """The association is no more."""
        self._marked.pop(peer, None)
        number, peer.kept = peer.kept, 0
        if number:
            self._pending[number] = None
            self._wake()

    async def recall(self, peer: Peer) -> Kept | None:
        """The association as it was written last; None where nothing is kept that holds.

        Raises `Unrestorable`.
        """
        number = peer.kept
        if not number or self._failing_until is not None:
            return None
        row = self._pending.get(number)
        if row is None:
            try:
                async with self._turn:
                    row = await self._carry(self._store.read, number)
            except StoreFailed:
                # The next commit finds it out, and tells.
                return None
        return _kept(number, row, self._clock()) if isinstance(row, Row) else None

    def set_aside(self, peer: Peer, why: str) -> None:
        """What is kept of the association must not be restored, and is left to be looked at."""
        number = peer.kept
        self.forget(peer)
        if number:
            self._pending[number] = SetAside(why)

    async def durable(self) -> None:
        """Wait until all that is marked is written, or cannot be."""
        wanted = self._marks
        if self._durable < wanted and self._failing_until is None:
            is_under_way = wanted <= self._under_way
            await (self._now_waiting if is_under_way else self._next_waiting).park()

    async def commit_waiting(self) -> None:
        """Wait for something to write, and write all there is."""
        await self._opened.wait()
        while not self._marked and not self._pending:
            await self._writer.park()
        marks = self._under_way = self._marks
        # A predecessor of ours that crashed may have left some.
        self._now_waiting.repark_all(self._next_waiting)
        self._now_waiting, self._next_waiting = self._next_waiting, self._now_waiting
        self._take_checkpoints()
        changes = dict(self._pending)
        async with self._turn:
            try:
                if self._is_stale:
                    await self._carry(self._store.invalidate)
                await self._carry(self._store.commit, changes)
            except StoreFailed as fault:
                with suppress(StoreFailed):
                    await self._carry(self._store.invalidate)
                self._fail(fault)
                self._next_waiting.unpark_all()
            else:
                self._done(changes, marks)
        self._now_waiting.unpark_all()

    async def aclose(self) -> None:
        """Write what waits, and close."""
        with trio.CancelScope(shield=True):
            waits = self._opened.is_set() and (self._marked or self._pending)
            if waits and self._failing_until is None:
                await self.commit_waiting()
            async with self._turn:
                await self._carry(self._store.close)

    def statistics(self) -> KeeperStatistics:
        """What the admin socket shows."""
        return KeeperStatistics(
            len(self._marked) + len(self._pending),
            self._commits,
            self._rows,
            self._failures,
            self._failing_until is not None,
        )

    def _take_checkpoints(self) -> None:
        now, clock = trio.current_time(), self._clock()
        marked, self._marked = self._marked, {}
        for peer in marked:
            association = peer.association
            if association is None or not association.established:
                continue
            if peer.shown is not None:
                # A worker has it: after its step it is marked again.
                continue
            peer.kept = peer.kept or next(self._numbers)
            self._pending[peer.kept] = Row(clock, _octets(peer, association.checkpoint(now)))

    def _done(self, changes: dict[int, Row | SetAside | None], marks: int) -> None:
        for number, row in changes.items():
            if self._pending.get(number, row) is row:
                self._pending.pop(number, None)
        self._durable = marks
        self._commits += 1
        self._rows += len(changes)
        self._is_stale = False
        if self._failing_until is not None:
            self._failing_until = None
            self._publish(Report("store-recovered", "IKE SAs are kept over a restart again"))

    def _fail(self, fault: StoreFailed) -> None:
        self._failures += 1
        self._is_stale = True
        if self._failing_until is None:
            text = f"IKE SAs are not kept, and would be lost with a restart: {fault}"
            self._publish(Report("store-failed", text, Level.ERROR))
        self._failing_until = trio.current_time() + RETRY_AFTER
        # Everybody is written when it is tried again.
        self._marked.clear()
        self._pending.clear()

    def _is_resting(self) -> bool:
        """Whether the store has failed just now; when that is over everybody is to be written."""
        if self._failing_until is None:
            return False
        if trio.current_time() < self._failing_until:
            return True
        self._failing_until += RETRY_AFTER
        self._marked = dict.fromkeys(self.everybody())
        return False

    def _wake(self) -> None:
        self._marks += 1
        self._writer.unpark()


async def run_keeper(keeper: Keeper) -> None:
    """Write what is marked, again and again."""
    while True:
        await keeper.commit_waiting()


def _octets(peer: Peer, checkpoint: Checkpoint) -> bytes:
    octets: bytes = msgpack.packb((peer.initiates, peer.children, write_checkpoint(checkpoint)))
    return octets


def _kept(number: int, row: Row, now: float) -> Kept:
    try:
        plain = msgpack.unpackb(row.octets, use_list=False, strict_map_key=False)
    # A map whose key is a list is a TypeError.
    except (ValueError, TypeError, msgpack.UnpackException) as fault:
        raise Unrestorable(f"no msgpack: {fault}") from None
    match plain:
        # As the first version wrote it, each list with a tag before it.
        case (0, bool(initiates), (0, *children), bytes(octets)):
            pass
        case (bool(initiates), (*children,), bytes(octets)):
            pass
        case _:
            raise Unrestorable("this is no association")
    elapsed = max(0.0, now - row.saved_at)
    return Kept(number, initiates, tuple(children), read_checkpoint(octets), elapsed)
