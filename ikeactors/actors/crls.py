"""Certificate revocation lists: those of the configuration, and those fetched where certificates
say that they are. What is in use is fetched again before it ends."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Protocol

import trio
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ikeactors.actors.fetching import Wanted
from ikeactors.actors.flights import FAILED_FOR, Flights, Unreached
from ikeactors.actors.reports import ReportHub
from ikeactors.crypto.pki.certificates import MAX_CRL_OCTETS, describe, printable, read_crl
from ikeactors.crypto.pki.crls import is_indirect
from ikeactors.errors import CertificateRefused, Fault, InvalidSyntax
from ikeactors.protocol.actions import Level, Report
from ikeactors.wire.names import comparable_name

# Ours: lists that are kept; the ones used longest ago go.
MAX_LISTS = 256
# Ours: a list that does not say when the next one comes holds a day.
_HOLDS_FOR = 86400.0
# Ours: a list is fetched anew when a tenth of its time is left, an hour before its end at most.
_EARLY_PART = 0.1
_EARLY_AT_MOST = 3600.0
# Ours: a list nobody has looked at for a week is not fetched any more.
_IN_USE_FOR = 7 * 86400.0
# Ours: how often it is looked what is due, in seconds; the clock of the day may be set meanwhile.
_LOOK_EVERY = 60.0

Crl = x509.CertificateRevocationList
Fetch = Callable[[Wanted], Awaitable[bytes]]
# Runs what takes long, or waits for the disk, where nobody waits for it.
Elsewhere = Callable[[Callable[[], Any]], Awaitable[Any]]


class Files(Protocol):
    """Where lists survive us."""

    def read(self, url: str) -> bytes | None: ...
    def write(self, url: str, octets: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class FetchedList:
    """A list, who has signed it, and when somebody wanted it."""

    crl: Crl
    issuer: x509.Certificate
    fetched_at: float
    used_at: float

    @property
    def ends_at(self) -> float:
        """When there is a newer one, in seconds since 1970."""
        end = self.crl.next_update_utc
        return self.fetched_at + _HOLDS_FOR if end is None else end.timestamp()

    @property
    def due_at(self) -> float:
        """When it is worth while to look for a newer one."""
        lifetime = self.ends_at - self.crl.last_update_utc.timestamp()
        return self.ends_at - min(_EARLY_AT_MOST, lifetime * _EARLY_PART)


@dataclass(frozen=True, slots=True)
class CrlStatistics:
    """How many lists there are, from files and fetched, and how often one was fetched."""

    configured: int
    fetched: int
    fetches: int
    failures: int


class Crls:
    """The lists by their issuers."""

    def __init__(
        self,
        fetch: Fetch,
        files: Files,
        wall_clock: Callable[[], float],
        hub: ReportHub,
        elsewhere: Elsewhere = trio.to_thread.run_sync,
    ) -> None:
        self._fetch = fetch
        self._files = files
        self._wall_clock = wall_clock
        self._hub = hub
        self._elsewhere = elsewhere
        self._configured: tuple[Crl, ...] = ()
        self._fetched: OrderedDict[str, FetchedList] = OrderedDict()
        self._flights: Flights[None] = Flights()
        self._fetches = self._failures = 0
        self._by_name: dict[object, list[Crl]] = {}
        self._sorted_at = self.generation = 0

    def configure(self, lists: Iterable[Crl]) -> None:
        """The lists of the configuration are these now."""
        self._configured = tuple(lists)
        self.generation += 1

    def of_issuers(self, names: Iterable[x509.Name]) -> list[Crl]:
        """The lists of these issuers, as far as they are here."""
        if self._sorted_at != self.generation:
            self._sort()
        if not self._by_name:
            return []
        wanted = dict.fromkeys(map(_comparable, names))
        return [crl for name in wanted for crl in self._by_name.get(name, ())]

    async def obtain(self, url: str, issuer: x509.Certificate) -> Crl:
        """See to it that the list at a URL is here, and of now. Raises `Unreached`."""
        known = self._fetched.get(url)
        now = self._wall_clock()
        if known is None or known.ends_at <= now:
            await self._flights.share(url, partial(self._renew, url, issuer, from_disk=True))
            known = self._fetched.get(url)
            if known is None:
                raise Unreached("too many lists are in use")
        self._fetched[url] = replace(known, used_at=now)
        self._fetched.move_to_end(url)
        return known.crl

    def _sort(self) -> None:
        self._by_name = {}
        for crl in (*self._configured, *(one.crl for one in self._fetched.values())):
            self._by_name.setdefault(_comparable(crl.issuer), []).append(crl)
        self._sorted_at = self.generation

    async def run(self, nursery: trio.Nursery) -> None:
        """Fetch in this nursery, and fetch again what is due, for ever."""
        self._flights.nursery = nursery
        while True:
            await trio.sleep(_LOOK_EVERY)
            now = self._wall_clock()
            for url, one in list(self._fetched.items()):
                if one.due_at <= now < one.used_at + _IN_USE_FOR:
                    nursery.start_soon(self._prefetch, url, one)

    def statistics(self) -> CrlStatistics:
        """What the admin socket shows."""
        counts = len(self._configured), len(self._fetched)
        return CrlStatistics(*counts, self._fetches, self._failures)

    async def _prefetch(self, url: str, old: FetchedList) -> None:
        try:
            await self._flights.share(url, partial(self._renew, url, old.issuer, from_disk=False))
        except Unreached as fault:
            minutes = max(0.0, (old.ends_at - self._wall_clock()) / 60)
            text = (
                f"there is no newer CRL at {printable(url)}: {fault}; the one that is here ends in "
                f"{minutes:.0f} minutes; trying again every {FAILED_FOR:g} s"
            )
            self._hub.publish(Report("crl-not-renewed", text, Level.WARNING))

    async def _renew(self, url: str, issuer: x509.Certificate, *, from_disk: bool) -> None:
        """From the disk if it will do, else from where it is."""
        octets: bytes | None = None
        if from_disk:
            octets = await self._elsewhere(partial(self._files.read, url))
        if octets is not None:
            try:
                self._keep(url, await self._checked(octets, issuer), issuer)
                return
            except CertificateRefused:
                # What is there is old, or spoilt.
                pass
        self._fetches += 1
        try:
            octets = await self._fetch(Wanted(url, MAX_CRL_OCTETS))
            self._keep(url, await self._checked(octets, issuer), issuer)
        except Fault:
            self._failures += 1
            raise
        problem = await self._elsewhere(partial(self._files.write, url, octets))
        if problem:
            self._hub.publish(Report("crl-not-kept", problem, Level.WARNING))

    async def _checked(self, octets: bytes, issuer: x509.Certificate) -> Crl:
        """A list that may be believed. Raises CertificateRefused.

        A large one takes a while, so it is not looked at here.
        """
        crl: Crl = await self._elsewhere(partial(_read_signed, octets, issuer))
        end = crl.next_update_utc
        if end is not None and end.timestamp() <= self._wall_clock():
            raise CertificateRefused(f"its CRL is of the past: it held until {end:%Y-%m-%d %H:%M}")
        return crl

    def _keep(self, url: str, crl: Crl, issuer: x509.Certificate) -> None:
        now = self._wall_clock()
        old = self._fetched.get(url)
        if old is not None and old.crl.last_update_utc > crl.last_update_utc:
            raise CertificateRefused("its CRL is older than the one that is here")
        self._fetched[url] = FetchedList(crl, issuer, now, now if old is None else old.used_at)
        if len(self._fetched) > MAX_LISTS:
            self._fetched.popitem(last=False)
        self.generation += 1

    def hold_until(self, lists: Iterable[Crl]) -> float:
        """When the first of some lists ends."""
        ends = (one.next_update_utc for one in lists)
        return min((one.timestamp() for one in ends if one is not None), default=math.inf)


def _read_signed(octets: bytes, issuer: x509.Certificate) -> Crl:
    """Who could put a list here that is not the issuer's could hide what is revoked."""
    crl = read_crl(octets)
    if is_indirect(crl):
        raise CertificateRefused("its CRL is indirect, for other issuers too: it is not believed")
    if _comparable(crl.issuer) != _comparable(issuer.subject):
        raise CertificateRefused(f"its CRL is not of {describe(issuer)}")
    try:
        is_signed = crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise CertificateRefused("its CRL is signed in a way that cannot be checked") from None
    if not is_signed:
        raise CertificateRefused(f"the signature of its CRL is not of {describe(issuer)}")
    return crl


def _comparable(name: x509.Name) -> object:
    return _comparable_octets(name.public_bytes())


@lru_cache(MAX_LISTS)
def _comparable_octets(octets: bytes) -> object:
    try:
        return comparable_name(octets)
    except InvalidSyntax:
        return octets
