"""The reconciler: compares the data plane with what should be there, and has it mended.

It looks when the daemon has taken up what it finds, when somebody else has removed something, when
events were lost, when the kernel actor has begun anew, and every so often. A look takes its time
and others go on meanwhile: what it finds is only a suspicion until the kernel actor has verified
it. What an association knows and is about to adopt is no orphan. An orphan policy goes after a
while alone: as long as it is there it keeps packets from leaving in the clear.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import trio

from ikeactors.actors.backends import Backend
from ikeactors.actors.kernel import Command, KernelState
from ikeactors.actors.mending import Verify
from ikeactors.actors.supervisor import BackOff
from ikeactors.kernel.inventory import Difference, Inventory, StrayPolicy
from ikeactors.kernel.requests import KernelRefusal
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.snapshot import ChildSnapshot

T = TypeVar("T")

# A part of the interval left to chance, so that daemons that began together do not look together.
_JITTER = 0.2
# Between looks that find something: who removes things again and again shall not keep us busy.
_BETWEEN_FINDINGS = BackOff(first=1.0, limit=60.0, jitter=0.0)
# Until then who had an orphan policy has claimed it again, or will not.
_STRAY_FOR = 60.0
# Ours: entries named in a report.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """What there should be, what there is, and in what they differ."""

    wanted_sas: int
    wanted_policies: int
    foreign_sas: int
    inventory: Inventory
    difference: Difference


@dataclass(frozen=True, slots=True)
class ReconcilerStatistics:
    """Looks and what they found; `replaced_policies` and what is foreign are as of the last one."""

    looks: int = 0
    drifts: int = 0
    missing_sas: int = 0
    missing_policies: int = 0
    orphan_sas: int = 0
    orphan_policies: int = 0
    replaced_policies: int = 0
    foreign_sas: int = 0
    foreign_policies: int = 0
    failed_looks: int = 0
    seconds_of_last_look: float = 0.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows of what: the Child SAs of all associations, and whether traps are all in force."""

    children: Callable[[], Awaitable[Sequence[ChildSnapshot]]]
    traps_are_settled: Callable[[], bool]
    # Of policies that have no SA, from here on.
    first_trap: int


class Reconciler:
    """Looks, and remembers what it has seen. Outlives its actor."""

    def __init__(
        self,
        backend: Backend,
        state: KernelState,
        kernel: trio.MemorySendChannel[Command],
        publish: Callable[[Report], None],
        sources: Sources,
        interval: float,
        chance: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._state = state
        self._kernel = kernel
        self._publish = publish
        self._sources = sources
        self._interval = interval
        self._chance = chance
        self._stray_since: dict[bytes, float] = {}
        self._last = Difference()
        self._findings = 0
        self._due = self._not_before = -math.inf
        self._counts = ReconcilerStatistics()
        self.begin = trio.Event()

    async def run(self) -> None:
        """The actor: look for ever, from when all that was found is taken up."""
        await self.begin.wait()
        while True:
            await self._wait()
            self._state.doubt = ""
            found = await self._look_and_mend()
            now = trio.current_time()
            self._findings = self._findings + 1 if found else 0
            pause = _BETWEEN_FINDINGS.delay(max(self._findings, 1), 0.0)
            self._not_before = now + pause
            # Whether it is mended is to be seen soon.
            self._due = min(self._not_before if found else math.inf, self._next_due(now))

    async def compare(self) -> Comparison:
        """What differs now; nothing is mended."""
        inventory, suspects = await self._look()
        found = await self._verified(suspects, mends=False)
        installed = self._state.installed
        if found:
            self._state.suspect("an operator has seen a difference")
        return Comparison(
            len(installed.sa_ids()),
            installed.policy_count,
            self._counts.foreign_sas,
            inventory,
            found,
        )

    def statistics(self) -> ReconcilerStatistics:
        """What the admin socket shows."""
        return self._counts

    async def _wait(self) -> None:
        """Until there is a reason to look."""
        while True:
            now, doubts = trio.current_time(), bool(self._state.doubt)
            if now >= self._due or (doubts and now >= self._not_before):
                return
            with trio.move_on_at(min(self._due, self._not_before if doubts else math.inf)):
                await self._state.doubted.park()

    def _next_due(self, now: float) -> float:
        spread = 1.0 + _JITTER * (self._chance() - 0.5)
        periodic = now + self._interval * spread if self._interval else math.inf
        return min(periodic, *(at + _STRAY_FOR for at in self._stray_since.values()), math.inf)

    async def _look_and_mend(self) -> bool:
        """Whether there was anything that was not known before."""
        try:
            _, suspects = await self._look()
        except KernelRefusal as refusal:
            self._count(failed_looks=1)
            text = f"what the data plane holds cannot be looked at: {refusal}"
            self._publish(Report("kernel-look-failed", text, Level.WARNING))
            return False
        suspects = replace(suspects, orphan_policies=self._ripe(suspects.orphan_policies))
        found = await self._verified(suspects, mends=True)
        news = _without(found, self._last)
        self._last = found
        if news:
            self._note(news)
        return bool(news)

    async def _look(self) -> tuple[Inventory, Difference]:
        began_at = trio.current_time()
        inventory = await self._backend.inventory()
        suspects = await self._suspects(inventory)
        foreign = sum(self._state.installed.holding(one) is None for one in inventory.others)
        self._counts = replace(
            self._counts,
            looks=self._counts.looks + 1,
            replaced_policies=len(inventory.replaced),
            foreign_sas=foreign,
            foreign_policies=inventory.foreign_policies,
            seconds_of_last_look=trio.current_time() - began_at,
        )
        return inventory, suspects

    async def _suspects(self, inventory: Inventory) -> Difference:
        """What seems to differ."""
        installed = self._state.installed
        there = inventory.ours | inventory.others
        orphans = [one for one in inventory.ours if installed.holding(one) is None]
        strays = inventory.strays
        if orphans or strays:
            known = await self._sources.children()
            sa_ids = {sa_id for child in known for sa_id in child.sa_ids}
            orphans = [one for one in orphans if one not in sa_ids]
            reqids = {child.reqid for child in known}
            strays = tuple(one for one in strays if self._is_stray(one, reqids))
        return Difference(
            tuple(one for one in installed.sa_ids() if one not in there),
            tuple(sorted(orphans, key=str)),
            inventory.missing,
            inventory.replaced,
            strays,
        )

    def _is_stray(self, policy: StrayPolicy, reqids: set[int]) -> bool:
        """Whether nobody is about to claim it again."""
        if policy.reqid >= self._sources.first_trap:
            return self._sources.traps_are_settled()
        return policy.reqid not in reqids

    def _ripe(self, strays: Sequence[StrayPolicy]) -> tuple[StrayPolicy, ...]:
        """Those that nobody has asked for in a while."""
        now = trio.current_time()
        self._stray_since = {one.name: self._stray_since.get(one.name, now) for one in strays}
        ripe = [one for one in strays if now >= self._stray_since[one.name] + _STRAY_FOR]
        for one in ripe:
            del self._stray_since[one.name]
        return tuple(ripe)

    async def _verified(self, suspects: Difference, mends: bool) -> Difference:
        if not suspects:
            return suspects
        send, receive = trio.open_memory_channel[Difference](1)
        with send, receive:
            await self._kernel.send(Verify(suspects, partial(_reply, send), mends))
            return await receive.receive()

    def _note(self, news: Difference) -> None:
        counts = {
            "missing_sas": len(news.missing_sas),
            "missing_policies": len(news.missing_policies),
            "orphan_sas": len(news.orphan_sas),
            "orphan_policies": len(news.orphan_policies),
        }
        self._count(drifts=1, **counts)
        details = {**counts, "replaced_policies": len(news.replaced_policies)}
        only_orphans = news == Difference(
            orphan_sas=news.orphan_sas, orphan_policies=news.orphan_policies
        )
        level = Level.INFO if only_orphans else Level.WARNING
        self._publish(Report("kernel-drift", _sentence(news), level, details=details))

    def _count(self, **counts: int) -> None:
        before = self._counts
        grown = {name: getattr(before, name) + count for name, count in counts.items()}
        self._counts = replace(before, **grown)


def _new(found: tuple[T, ...], known: Iterable[T]) -> tuple[T, ...]:
    before = frozenset(known)
    return tuple(one for one in found if one not in before)


def _reply(send: trio.MemorySendChannel[Difference], found: Difference) -> None:
    # Who asked may be gone.
    with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
        send.send_nowait(found)


def _without(found: Difference, known: Difference) -> Difference:
    """What is news: of an SA's end its owner was told the last time; the rest has been mended."""
    return replace(
        found,
        missing_sas=_new(found.missing_sas, known.missing_sas),
        replaced_policies=_new(found.replaced_policies, known.replaced_policies),
    )


def _sentence(news: Difference) -> str:
    """What differs, in words."""
    replaced = (
        f"{one.direction.name.lower()} {one.source} === {one.destination}"
        for one in news.replaced_policies
    )
    missing = (
        f"{one.direction.name.lower()} {one.source} === {one.destination}"
        for one in news.missing_policies
    )
    parts = (
        ("SAs are missing and negotiated anew", [f"{one.spi:08x}" for one in news.missing_sas]),
        ("policies were missing and are put back", list(missing)),
        ("SAs of nobody's are removed", [f"{one.spi:08x}" for one in news.orphan_sas]),
        ("policies of nobody's are removed", [one.text for one in news.orphan_policies]),
        ("policies have given way to another program's", list(replaced)),
    )
    said = (f"{len(names)} {what} ({_named(names)})" for what, names in parts if names)
    return "the data plane differs from what should be there: " + "; ".join(said)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
