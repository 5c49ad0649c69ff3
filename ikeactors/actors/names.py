"""The DNS names of the configuration: what they resolve to, and whose an address is.

`Names` holds what is known and outlives the actor, which resolves all names again and again, so
that a responder knows its peers by them. Who initiates asks anew. A name that resolves no more is
told with the reason, and what it was last resolved to holds until it resolves again.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.errors import Fault
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address

# Ours: a name's peer is recognised at a new address after so long at the latest, and a name that
# does not resolve is tried again sooner. The system's resolver does not tell how long an answer
# holds; it, or the name server it asks, keeps answers that long.
RESOLVE_AGAIN = 300.0
RETRY = 30.0
# Ours: longer than a resolver takes that asks two name servers twice.
PATIENCE = 15.0
# Ours: each waits in a thread of its own.
AT_ONCE = 8
# Ours: each address is one that a stranger may call from, or an attempt of ours.
MAX_ADDRESSES = 16

# What resolves a name; OSError when it does not.
Lookup = Callable[[str], Awaitable[Iterable[Address]]]


class Unresolved(Fault):
    """A name has no address now; the text says why."""


@dataclass(frozen=True, slots=True)
class NameStatistics:
    """What the names resolve to, and how often they were looked up."""

    names: dict[str, tuple[str, ...]]
    lookups: int
    failures: int


class Names:
    """What is known of names. `changed` is awaited when one has other addresses than before."""

    def __init__(self, lookup: Lookup, names: Iterable[str], hub: ReportHub) -> None:
        self._lookup = lookup
        self._hub = hub
        self._known: dict[str, tuple[Address, ...]] = dict.fromkeys(names, ())
        self._names_of: dict[Address, tuple[str, ...]] = {}
        self._problems: dict[str, str] = {}
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        self._lookups = 0
        self._failures = 0

    @property
    def all(self) -> tuple[str, ...]:
        """Every name of the configuration."""
        return tuple(self._known)

    def addresses_of(self, name: str) -> tuple[Address, ...]:
        """What a name was resolved to the last time that it was."""
        return self._known.get(name, ())

    def names_of(self, address: Address) -> tuple[str, ...]:
        """The names that have this address."""
        return self._names_of.get(address, ())

    async def resolve(self, name: str) -> tuple[Address, ...]:
        """The addresses of a name, the best first. Raises `Unresolved`."""
        async with self._limiter:
            self._lookups += 1
            try:
                with trio.fail_after(PATIENCE):
                    found = tuple(dict.fromkeys(await self._lookup(name)))[:MAX_ADDRESSES]
            except trio.TooSlowError:
                reason = f"no name server answers within {PATIENCE:g} s"
            except OSError as fault:
                reason = _reason(fault)
            else:
                reason = "" if found else "it has no address"
        if reason:
            self._failures += 1
            raise Unresolved(f"{name} does not resolve: {reason}")
        if found != self._known.get(name):
            self._learn(name, found)
        return found

    def statistics(self) -> NameStatistics:
        """What the admin socket shows."""
        known = {name: tuple(map(str, found)) for name, found in self._known.items()}
        return NameStatistics(known, self._lookups, self._failures)

    async def refresh(self, name: str) -> bool:
        """Resolve a name, and tell when that does not succeed; whether it does."""
        try:
            await self.resolve(name)
        except Unresolved as fault:
            self._complain(name, str(fault))
            return False
        self._problems.pop(name, None)
        return True

    def _learn(self, name: str, found: tuple[Address, ...]) -> None:
        for address in self._known.get(name, ()):
            left = tuple(one for one in self._names_of.get(address, ()) if one != name)
            self._names_of.pop(address, None)
            if left:
                self._names_of[address] = left
        for address in found:
            self._names_of[address] = (*self._names_of.get(address, ()), name)
        self._known[name] = found
        text = f"{name} is {', '.join(map(str, found))}"
        self._hub.publish(Report("name-resolved", text))

    def _complain(self, name: str, problem: str) -> None:
        """Tell a problem once, until it is another."""
        if self._problems.get(name) == problem:
            return
        self._problems[name] = problem
        text = f"{problem}; trying again in {RETRY:g} s"
        self._hub.publish(Report("name-unresolved", text, Level.WARNING))


async def run_names(names: Names, changed: Callable[[bool], Awaitable[None]]) -> None:
    """Resolve all names, again and again. `changed` is awaited when any has other addresses."""
    due_at = dict.fromkeys(names.all, -math.inf)
    while True:
        now = trio.current_time()
        due = [name for name, at in due_at.items() if at <= now]
        before = {name: names.addresses_of(name) for name in due}
        resolved: dict[str, bool] = {}
        async with trio.open_nursery() as nursery:
            for name in due:
                nursery.start_soon(_refresh, names, name, resolved)
        for name in due:
            due_at[name] = trio.current_time() + (RESOLVE_AGAIN if resolved[name] else RETRY)
        if any(names.addresses_of(name) != before[name] for name in due):
            await changed(True)
        await trio.sleep_until(min(due_at.values(), default=math.inf))


async def _refresh(names: Names, name: str, resolved: dict[str, bool]) -> None:
    resolved[name] = await names.refresh(name)


async def system_lookup(name: str) -> list[Address]:
    """What this host's resolver says: /etc/hosts, DNS, whatever nsswitch.conf names."""
    found = await trio.socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    # A scope says nothing on another host's address.
    return [ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def _reason(fault: OSError) -> str:
    return _REASONS.get(fault.errno or 0, "") or fault.strerror or str(fault)


_REASONS = {
    socket.EAI_NONAME: "there is no such name (NXDOMAIN)",
    socket.EAI_NODATA: "it has no address",
    socket.EAI_AGAIN: "no name server answers",
}
