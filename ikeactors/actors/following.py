"""The actor that tells others of children that go up and down: scripts, and sets of nftables.

Nobody waits for it. A script that hangs or fails delays the scripts of its own child alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import trio

from ikeactors.actors.nft_sets import NftSets, WriteRules, run_nft
from ikeactors.actors.updown import ScriptFailed, environments, run_script
from ikeactors.protocol.actions import FollowChildSa, Level, Report, UnfollowChildSa
from ikeactors.protocol.settings import ConnectionSettings

# Ours: scripts that run at once; they are processes of their own and cost what they cost.
MAX_RUNNING = 16
# Ours: a child that went up and down so often while one script ran has no use for more.
MAX_WAITING_OF_A_CHILD = 16
# Ours: how soon a set that nft refused is tried again.
_RETRY_AFTER = 10.0

# Number of the association, and the child's name.
Line = tuple[int, str]
RunScript = Callable[[str, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FollowingStatistics:
    """Children that are followed and up, scripts that wait or run, and what has failed."""

    up: int
    scripts_waiting: int
    scripts_run: int
    scripts_failed: int
    scripts_dropped: int
    sets_failed: int


class Followers:
    """What is to be told; outlives the actor that tells it."""

    def __init__(
        self,
        publish: Callable[[Report], None],
        run: RunScript = run_script,
        write: WriteRules = run_nft,
    ) -> None:
        self._publish = publish
        self._run = run
        self.sets = NftSets(write)
        self._up: dict[int, dict[str, FollowChildSa]] = {}
        self._waiting: dict[Line, deque[tuple[str, FollowChildSa]]] = {}
        self._ready: deque[Line] = deque()
        self._news = trio.lowlevel.ParkingLot()
        self._run_so_far = self._failed = self._dropped = self._sets_failed = 0

    def up(self, number: int, action: FollowChildSa) -> None:
        """A child is up; after a restart its script knows already."""
        line = (number, action.settings.name)
        self._up.setdefault(number, {})[action.settings.name] = action
        self.sets.add(line, action)
        if not action.again:
            self._leave(line, "up", action)
        self._news.unpark_all()

    def down(self, number: int, action: UnfollowChildSa) -> None:
        """A child is down: who was told that it is up is told that."""
        self._went_down(number, action.child)

    def ended(self, number: int) -> None:
        """An association is over, perhaps by a crash that told nobody."""
        for name in tuple(self._up.get(number, ())):
            self._went_down(number, name)

    def _went_down(self, number: int, name: str) -> None:
        of_association = self._up.get(number, {})
        action = of_association.pop(name, None)
        if action is None:
            return
        if not of_association:
            del self._up[number]
        self._leave((number, name), "down", action)
        self.sets.remove((number, name))
        self._news.unpark_all()

    def _leave(self, line: Line, verb: str, action: FollowChildSa) -> None:
        if not action.settings.updown:
            return
        if line not in self._waiting:
            self._waiting[line] = deque()
            self._ready.append(line)
        if len(self._waiting[line]) >= MAX_WAITING_OF_A_CHILD:
            self._dropped += 1
            return
        self._waiting[line].append((verb, action))

    async def run(self) -> None:
        """Tell, until the end."""
        # What a predecessor was at goes on.
        self._ready = deque(self._waiting)
        limiter = trio.CapacityLimiter(MAX_RUNNING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_sets)
            while True:
                while self._ready:
                    nursery.start_soon(self._run_line, self._ready.popleft(), limiter)
                await self._news.park()

    async def told(self) -> None:
        """Wait until everybody knows."""
        while self._waiting or not self.sets.is_current:
            await self._news.park()

    async def _run_line(self, line: Line, limiter: trio.CapacityLimiter) -> None:
        """A child's scripts, one after the other."""
        waiting = self._waiting[line]
        while waiting:
            async with limiter:
                await self._tell(*waiting[0])
            waiting.popleft()
        del self._waiting[line]
        self._news.unpark_all()

    async def _tell(self, verb: str, action: FollowChildSa) -> None:
        path = action.settings.updown
        for environment in environments(verb, action):
            self._run_so_far += 1
            try:
                await self._run(path, environment)
            except ScriptFailed as failure:
                self._failed += 1
                text = f"{path} {environment['PLUTO_VERB']} of {action.settings.name}: {failure}"
                self._publish(Report("updown-failed", text, Level.WARNING, action.connection))

    async def _keep_sets(self) -> None:
        while True:
            failures = {} if self.sets.is_current else await self.sets.write()
            for name, text in failures.items():
                self._sets_failed += 1
                self._publish(Report("nft-set-failed", f"{name}: {text}", Level.WARNING))
            if failures:
                await trio.sleep(_RETRY_AFTER)
                self.sets.claim(failures)
            elif self.sets.is_current:
                self._news.unpark_all()
                await self._news.park()

    def statistics(self) -> FollowingStatistics:
        """For the admin socket."""
        return FollowingStatistics(
            sum(map(len, self._up.values())),
            sum(map(len, self._waiting.values())),
            self._run_so_far,
            self._failed,
            self._dropped,
            self._sets_failed,
        )


def followers_of(
    connections: Iterable[ConnectionSettings], publish: Callable[[Report], None]
) -> Followers | None:
    """Those whom the configuration names, if any; their sets are emptied first."""
    followed = [child for one in connections for child in one.children if child.is_followed]
    if not followed:
        return None
    followers = Followers(publish)
    sets = (name for child in followed for name in (child.nft_set, child.nft_set6) if name)
    followers.sets.claim(sets)
    return followers
