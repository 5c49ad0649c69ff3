"""One request on its way: what a command may reach, and how it talks back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import trio

from ikeactors.actors.control import Outlet
from ikeactors.admin.facts import Facts, Usages, association_facts
from ikeactors.admin.ports import Surroundings
from ikeactors.admin.vocabulary import (
    RequestRefused,
    write_error,
    write_event,
    write_progress,
    write_result,
)
from ikeactors.kernel.requests import KernelRefusal, SaId
from ikeactors.protocol.snapshot import AssociationSnapshot

# The kernel actor answers at once, or is being restarted: listings do without then.
USAGE_TIMEOUT = 2.0
# SAs told at a time: far below the largest frame, and the loop is let go in between.
BATCH = 64

Numbered = tuple[int, AssociationSnapshot]


class Conversation:
    """A request, the daemon around it, and the way back to who asked."""

    def __init__(
        self,
        surroundings: Surroundings,
        outlet: Outlet,
        request_id: int,
        subscriptions: dict[int, trio.CancelScope],
    ) -> None:
        self.surroundings = surroundings
        self.subscriptions = subscriptions
        self._outlet = outlet
        self._request_id = request_id
        self._is_finished = False

    @property
    def request_id(self) -> int:
        """The client's number for this request."""
        return self._request_id

    def finish(self, result: Mapping[str, object]) -> None:
        """Say that the request has succeeded; only the first time counts."""
        if not self._is_finished:
            self._outlet.send(write_result(self._request_id, result))
            self._is_finished = True

    def fail(self, refusal: RequestRefused) -> None:
        """Say that the request has failed."""
        if not self._is_finished:
            self._outlet.send(write_error(self._request_id, refusal))
            self._is_finished = True

    def progress(self, progress: Mapping[str, object]) -> None:
        """Say something on the way."""
        self._outlet.send(write_progress(self._request_id, progress))

    def event(self, subscription: int, event: Mapping[str, object]) -> None:
        """Say what has happened to a subscriber."""
        self._outlet.send(write_event(subscription, event))

    async def stream(self, key: str, facts: Iterable[Facts]) -> None:
        """Say much, batch by batch, no faster than the client reads."""
        batch: list[Facts] = []
        for one in facts:
            batch.append(one)
            if len(batch) == BATCH:
                self.progress({key: batch})
                batch = []
                await self._outlet.room()
        if batch:
            self.progress({key: batch})

    async def stream_sas(self, numbered: Sequence[Numbered]) -> None:
        """Say everything about these associations, usage included."""
        for batch in batches(numbered):
            self.progress({"sas": await self.described(batch)})
            await self._outlet.room()

    async def described(self, numbered: Sequence[Numbered]) -> list[Facts]:
        """The facts of these associations, usage included."""
        usages = await self._usages(numbered)
        return [association_facts(number, snapshot, usages) for number, snapshot in numbered]

    def numbered(self, connection: str = "") -> list[Numbered]:
        """The associations, of one connection or all."""
        now = self.surroundings.monotonic()
        every = self.surroundings.peers.snapshots(now)
        return [one for one in every if not connection or one[1].connection == connection]

    async def _usages(self, numbered: Sequence[Numbered]) -> Usages:
        sa_ids: list[SaId] = []
        for _, snapshot in numbered:
            for child in snapshot.children:
                sa_ids += child.sa_ids
        if not sa_ids:
            return {}
        with trio.move_on_after(USAGE_TIMEOUT):
            try:
                return {one.sa_id: one for one in await self.surroundings.usage(sa_ids)}
            except KernelRefusal:
                return {}
        return {}


def batches(numbered: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    """Associations by and by: about `BATCH` SAs at a time, whole associations."""
    batch: list[Numbered] = []
    weight = 0
    for one in numbered:
        batch.append(one)
        weight += 1 + len(one[1].children)
        if weight >= BATCH:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
