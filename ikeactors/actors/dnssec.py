"""Who answers what DNSSEC proves of names: where peers are, and which keys they have.

A peer's name is asked for once it has proven who it is; each question is a task of its own, so that
nobody waits for another's name server. Keys are wanted before there is a peer: the names that the
configuration gives are asked for again and again, and a stranger makes nobody ask.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.unchecked import NameAnswer
from ikeactors.errors import AuthenticationFailed, Fault
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address

# Ours: whose name is asked for while so many wait is refused at once.
MAX_PENDING = 256
# Ours: each is a socket, and asks a dozen questions one after the other.
AT_ONCE = 16
# Ours: longer than a resolver takes that has to ask name servers twice.
PATIENCE = 15.0
# Ours: answers remembered; the ones used longest ago go.
_REMEMBERED = 1024
# Ours: however long an answer holds, it is asked for again after an hour.
_AT_MOST = 3600.0
# Ours: keys are asked for again so long before they end, and so soon after nobody could tell.
_RENEW_BEFORE = 60.0
_RETRY = 30.0


class Answered(Protocol):
    """What DNSSEC proves."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...
    @property
    def keys(self) -> tuple[bytes, ...]: ...
    @property
    def until(self) -> float: ...


class Proofs(Protocol):
    """Finds out. Raises a `Fault` that says why not."""

    async def addresses(self, name: str) -> Answered: ...
    async def keys(self, name: str) -> Answered: ...


@dataclass(frozen=True, slots=True)
class NameProofStatistics:
    """Names that are asked for, those that were proven and not; keys by their names."""

    pending: int
    proven: int
    refused: int
    keys: dict[str, int]


@dataclass(slots=True)
class _Keys:
    """Of one name: what is proven, until when, and else why not."""

    keys: tuple[bytes, ...] = ()
    until: float = 0.0
    problem: str = "it has not been asked for yet"
    due_at: float = -math.inf


@dataclass(slots=True)
class NameProofs:
    """What is asked and known; it outlives the actor."""

    proofs: Proofs
    wall_clock: Callable[[], float]
    hub: ReportHub
    names: Iterable[str] = ()
    _waiting: deque[tuple[str, NameAnswer]] = field(default_factory=deque)
    _begun: list[tuple[str, NameAnswer]] = field(default_factory=list)
    _filled: trio.Event = field(default_factory=trio.Event)
    _known: OrderedDict[str, tuple[float, tuple[Address, ...]]] = field(default_factory=OrderedDict)
    _keys: dict[str, _Keys] = field(default_factory=dict)
    _limiter: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(AT_ONCE))
    _proven: int = 0
    _refused: int = 0

    def __post_init__(self) -> None:
        self._keys = {_folded(name): _Keys() for name in self.names}

    def check(self, name: str, answer: NameAnswer) -> None:
        """Have the addresses of a name proven."""
        until, addresses = self._known.get(_folded(name), (0.0, ()))
        if self.wall_clock() < until:
            self._proven += 1
            answer(addresses, "")
            return
        if len(self._waiting) + len(self._begun) >= MAX_PENDING:
            self._refused += 1
            answer((), "too many names are being asked for")
            return
        self._waiting.append((name, answer))
        self._filled.set()

    def keys_of(self, name: str) -> tuple[bytes, ...]:
        """The keys of a name of the configuration. Raises AuthenticationFailed."""
        known = self._keys.get(_folded(name))
        if known is None:
            raise AuthenticationFailed(f"no connection asks DNS for the keys of {name}")
        if self.wall_clock() >= known.until:
            raise AuthenticationFailed(f"DNSSEC proves no key of {name}: {known.problem}")
        return known.keys

    def statistics(self) -> NameProofStatistics:
        """What the admin socket shows."""
        pending = len(self._waiting) + len(self._begun)
        keys = {name: len(one.keys) for name, one in self._keys.items()}
        return NameProofStatistics(pending, self._proven, self._refused, keys)

    async def run(self) -> None:
        """The actor: begin with a name as soon as it is asked for."""
        for asked in tuple(self._begun):
            self._settle(asked, (), "the question was interrupted")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_keys)
            while True:
                while not self._waiting:
                    self._filled = trio.Event()
                    await self._filled.wait()
                asked = self._waiting.popleft()
                self._begun.append(asked)
                nursery.start_soon(self._prove, asked)

    async def _prove(self, asked: tuple[str, NameAnswer]) -> None:
        name, _ = asked
        try:
            found = await self._within_limits(self.proofs.addresses, name)
        except Fault as fault:
            self._settle(asked, (), f"DNSSEC proves no address of {name}: {fault}")
            return
        self._remember(name, found)
        self._settle(asked, found.addresses, "")

    async def _within_limits(
        self, ask: Callable[[str], Awaitable[Answered]], name: str
    ) -> Answered:
        with trio.move_on_after(PATIENCE):
            async with self._limiter:
                return await ask(name)
        raise Fault(f"no name server has told within {PATIENCE:g} s")

    def _remember(self, name: str, found: Answered) -> None:
        until = min(found.until, self.wall_clock() + _AT_MOST)
        self._known.pop(_folded(name), None)
        self._known[_folded(name)] = until, found.addresses
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _settle(
        self, asked: tuple[str, NameAnswer], addresses: tuple[Address, ...], refusal: str
    ) -> None:
        self._begun.remove(asked)
        if refusal:
            self._refused += 1
        else:
            self._proven += 1
        _, answer = asked
        answer(addresses, refusal)

    async def _follow_keys(self) -> None:
        """Ask for the keys of all names, again and again."""
        while True:
            now = self.wall_clock()
            due = [name for name, one in self._keys.items() if one.due_at <= now]
            async with trio.open_nursery() as nursery:
                for name in due:
                    nursery.start_soon(self._renew_keys, name)
            next_at = min((one.due_at for one in self._keys.values()), default=math.inf)
            # The clock of the day may be set meanwhile.
            await trio.sleep(max(1.0, min(next_at - self.wall_clock(), _RETRY)))

    async def _renew_keys(self, name: str) -> None:
        old, now = self._keys[name], self.wall_clock()
        try:
            found = await self._within_limits(self.proofs.keys, name)
        except Fault as fault:
            if old.problem != str(fault):
                text = f"DNSSEC proves no key of {name}: {fault}; trying again in {_RETRY:g} s"
                self.hub.publish(Report("name-keys-unproven", text, Level.WARNING))
            self._keys[name] = replace(old, problem=str(fault), due_at=now + _RETRY)
            return
        until = min(found.until, now + _AT_MOST)
        due_at = max(now + _RETRY, until - _RENEW_BEFORE)
        self._keys[name] = _Keys(found.keys, until, "its keys have ended", due_at)
        if found.keys != old.keys:
            text = f"{name} has {len(found.keys)} keys, by DNSSEC"
            self.hub.publish(Report("name-keys-proven", text))


def _folded(name: str) -> str:
    return name.lower().rstrip(".")
