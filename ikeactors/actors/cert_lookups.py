"""Certificates that peers name by hash and URL: fetched, compared with the hash, remembered.

Each lookup is a task of its own, and all of them end at a deadline. Every one is answered.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass

import trio

from ikeactors.actors.crls import Fetch
from ikeactors.actors.fetching import Wanted
from ikeactors.actors.unchecked import Fetched
from ikeactors.crypto.pki.certificates import MAX_CERTIFICATE_OCTETS
from ikeactors.errors import Fault

# Ours: who names certificates while so many wait is answered at once that there are none.
MAX_PENDING = 256
# Ours: so many are kept; the ones used longest ago go.
_REMEMBERED = 256
# Ours: fetched at a time.
_AT_ONCE = 16

# Pairs of a SHA-1 hash and a URL.
Names = tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is wanted, and who waits."""

    names: Names
    answer: Fetched


class CertificateLookups:
    """Lookups that are not answered; it outlives the actor."""

    def __init__(self, fetch: Fetch, patience: float) -> None:
        self._fetch = fetch
        self._patience = patience
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._waiting: deque[Lookup] = deque()
        self._begun: list[Lookup] = []
        self._filled = trio.Event()
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    def look_up(self, names: Names, answer: Fetched) -> None:
        """Have certificates fetched."""
        if len(self._waiting) + len(self._begun) >= MAX_PENDING:
            answer((), ("too many certificates are being fetched",))
            return
        self._waiting.append(Lookup(names, answer))
        self._filled.set()

    async def run(self) -> None:
        """The actor: begin a lookup as soon as it is asked for."""
        for lookup in tuple(self._begun):
            self._settle(lookup, (), ("the lookup was interrupted",))
        async with trio.open_nursery() as nursery:
            while True:
                while not self._waiting:
                    self._filled = trio.Event()
                    await self._filled.wait()
                lookup = self._waiting.popleft()
                self._begun.append(lookup)
                nursery.start_soon(self._carry_out, lookup)

    async def _carry_out(self, lookup: Lookup) -> None:
        found: list[bytes] = []
        failures: list[str] = []
        with trio.move_on_after(self._patience) as scope:
            for digest, url in lookup.names:
                try:
                    found.append(await self._obtain(digest, url))
                except Fault as fault:
                    failures.append(f"{url}: {fault}")
        if scope.cancelled_caught:
            failures.append(f"not all is there within {self._patience:g} s")
        self._settle(lookup, tuple(found), tuple(failures))

    async def _obtain(self, digest: bytes, url: str) -> bytes:
        known = self._known.get(digest)
        if known is None:
            async with self._limiter:
                known = await self._fetch(Wanted(url, MAX_CERTIFICATE_OCTETS))
            if hashlib.sha1(known, usedforsecurity=False).digest() != digest:
                raise Fault("what is there has another hash")
            self._known[digest] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(digest)
        return known

    def _settle(self, lookup: Lookup, found: tuple[bytes, ...], failures: tuple[str, ...]) -> None:
        self._begun.remove(lookup)
        lookup.answer(found, failures)
