"""Whether peers' certificates are revoked: who waits for an answer, and where it comes from.

Lists that are here come first, then what a certificate names: its OCSP responders, and its lists.
Each check is a task of its own, so that nobody waits for another's server. Every check is answered,
at its deadline with what is known by then.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import trio
from cryptography import x509

from ikeactors.actors.crls import Crls, Fetch
from ikeactors.actors.fetching import Wanted
from ikeactors.actors.flights import Flights, Unreached
from ikeactors.actors.unchecked import Answer, unknown
from ikeactors.crypto.pki.certificates import describe, fingerprint_of, read_certificate
from ikeactors.crypto.pki.crls import statuses_by_crl
from ikeactors.crypto.pki.ocsp import (
    MAX_ANSWER_OCTETS,
    NONCE_OCTETS,
    Question,
    Verdict,
    read_answer,
)
from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.places import Places, deltas_of, places_of
from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding
from ikeactors.errors import CertificateRefused

T = TypeVar("T")

# Ours: who authenticates while so many wait is answered at once that nothing is known.
MAX_PENDING = 1024
# Ours: what was found out about so many paths and certificates is remembered.
_REMEMBERED = 1024

_UNKNOWN = Revocation.UNKNOWN

Findings = tuple[RevocationFinding, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A path in DER, and who waits."""

    chain: tuple[bytes, ...]
    answer: Answer


@dataclass(frozen=True, slots=True)
class RevocationStatistics:
    """Checks that wait, and those that were answered, by what came out."""

    pending: int
    good: int
    revoked: int
    unknown: int


class RevocationChecks:
    """Checks that are not answered; it outlives the actor."""

    def __init__(self) -> None:
        self._waiting: deque[Check] = deque()
        self._begun: list[Check] = []
        self._filled = trio.Event()
        self._counts = dict.fromkeys(Revocation, 0)

    def check(self, chain: tuple[bytes, ...], answer: Answer) -> None:
        """Have a path checked."""
        if len(self._waiting) + len(self._begun) >= MAX_PENDING:
            answer(unknown(chain, "too many certificates are being checked"))
            return
        self._waiting.append(Check(chain, answer))
        self._filled.set()

    async def next(self) -> Check:
        """The oldest one that nobody has begun."""
        while not self._waiting:
            self._filled = trio.Event()
            await self._filled.wait()
        check = self._waiting.popleft()
        self._begun.append(check)
        return check

    def settle(self, check: Check, findings: Findings) -> None:
        """A check is done."""
        self._begun.remove(check)
        for one in findings:
            self._counts[one.status] += 1
        check.answer(findings)

    def give_up(self) -> None:
        """Whoever has begun these is dead, perhaps of one of them."""
        for check in tuple(self._begun):
            self.settle(check, unknown(check.chain, "the check was interrupted"))

    def statistics(self) -> RevocationStatistics:
        """What the admin socket shows."""
        pending = len(self._waiting) + len(self._begun)
        return RevocationStatistics(pending, *(self._counts[one] for one in Revocation))


@dataclass(slots=True)
class Examiner:
    """Finds out about a path. `run` runs what computes elsewhere, `nonce` draws octets."""

    crls: Crls
    fetch: Fetch
    run: Callable[[Callable[[], Findings]], Awaitable[Findings]]
    nonce: Callable[[int], bytes]
    wall_clock: Callable[[], float]
    patience: float
    flights: Flights[Verdict] = field(default_factory=Flights)
    _verdicts: OrderedDict[bytes, Verdict] = field(default_factory=OrderedDict)
    _known: OrderedDict[bytes, tuple[int, float, Findings]] = field(default_factory=OrderedDict)

    async def examine(self, chain: tuple[bytes, ...]) -> Findings:
        """What can be found out in time."""
        path = CertificationPath(tuple(map(read_certificate, chain)))
        findings = list(await self._by_lists(path))
        if any(one.status is Revocation.REVOKED for one in findings):
            return tuple(findings)
        asked = [place for place, one in enumerate(findings) if one.status is _UNKNOWN]
        with trio.move_on_after(self.patience) as scope:
            async with trio.open_nursery() as nursery:
                for place in asked:
                    nursery.start_soon(self._ask, path, place, findings)
        if scope.cancelled_caught:
            late = f", and nobody has told within {self.patience:g} s"
            for place in asked:
                one = findings[place]
                if one.status is _UNKNOWN:
                    findings[place] = replace(one, text=one.text + late)
        return tuple(findings)

    async def _by_lists(self, path: CertificationPath) -> Findings:
        """By the lists that are here."""
        certificates = path.certificates[:-1]
        lists = self.crls.of_issuers(one.issuer for one in certificates)
        if not lists:
            return tuple(map(_without_list, certificates))
        key = b"".join(map(fingerprint_of, path.certificates))
        now = self.wall_clock()
        generation, holds_until, known = self._known.get(key, (-1, 0.0, ()))
        if generation == self.crls.generation and now < holds_until:
            return known
        anchors = TrustAnchors([path.anchor])
        found = await self.run(partial(statuses_by_crl, anchors, path, lists, now))
        found = tuple(
            replace(one, is_named=places_of(certificate).is_named)
            for one, certificate in zip(found, certificates, strict=True)
        )
        self._known[key] = self.crls.generation, self.crls.hold_until(lists), found
        _bound(self._known)
        return found

    async def _ask(
        self, path: CertificationPath, place: int, findings: list[RevocationFinding]
    ) -> None:
        """Ask those whom a certificate names, until one knows."""
        certificate, issuer = path.certificates[place : place + 2]
        places = places_of(certificate)
        tried = list(places.unusable)
        for url in places.responders:
            # Said at once, so that the deadline finds it.
            findings[place] = _unknown_of(certificate, places, tried, url)
            try:
                findings[place] = await self._by_responder(url, Question(certificate, issuer, b""))
                return
            except Unreached as fault:
                tried.append(f"{url}: {fault}")
        for url in places.lists:
            findings[place] = _unknown_of(certificate, places, tried, url)
            try:
                await self._obtain(url, issuer, places)
            except Unreached as fault:
                tried.append(f"{url}: {fault}")
                continue
            found = (await self._by_lists(path))[place]
            if found.status is not _UNKNOWN:
                findings[place] = found
                return
            tried.append(f"{url}: {found.text}")
        if tried:
            findings[place] = _unknown_of(certificate, places, tried, "")

    async def _obtain(self, url: str, issuer: x509.Certificate, places: Places) -> None:
        """A base list; what has changed since is welcome, and can be missing."""
        crl = await self.crls.obtain(url, issuer)
        for delta in (*places.deltas, *deltas_of(crl)):
            try:
                await self.crls.obtain(delta, issuer)
            except Unreached:
                continue

    async def _by_responder(self, url: str, question: Question) -> RevocationFinding:
        """What an OCSP responder says, or has said. Raises `Unreached`."""
        name = fingerprint_of(question.certificate)
        known = self._verdicts.get(name)
        if known is None or known.holds_until <= self.wall_clock():
            key = f"{url} {name.hex()}"
            known = await self.flights.share(key, partial(self._put, url, question))
            self._verdicts[name] = known
            _bound(self._verdicts)
        return replace(known.finding, is_named=True)

    async def _put(self, url: str, question: Question) -> Verdict:
        question = replace(question, nonce=self.nonce(NONCE_OCTETS))
        kind = "application/ocsp-request"
        octets = await self.fetch(Wanted(url, MAX_ANSWER_OCTETS, question.write(), kind))
        return read_answer(octets, question, self.wall_clock())


async def run_revocation(checks: RevocationChecks, examiner: Examiner) -> None:
    """The actor: begin a check as soon as it is asked for."""
    checks.give_up()
    async with trio.open_nursery() as nursery:
        examiner.flights.nursery = nursery
        nursery.start_soon(examiner.crls.run, nursery)
        while True:
            nursery.start_soon(_carry_out, checks, examiner, await checks.next())


async def _carry_out(checks: RevocationChecks, examiner: Examiner, check: Check) -> None:
    try:
        findings = await examiner.examine(check.chain)
    except CertificateRefused as fault:
        findings = unknown(check.chain, str(fault))
    checks.settle(check, findings)


def _without_list(certificate: x509.Certificate) -> RevocationFinding:
    text = (
        f"{describe(certificate)}: whether it is revoked is not known: it names nobody who could "
        "tell, and there is no CRL of its issuer"
    )
    return RevocationFinding(_UNKNOWN, text, places_of(certificate).is_named)


def _unknown_of(
    certificate: x509.Certificate, places: Places, tried: list[str], asking: str
) -> RevocationFinding:
    text = "; ".join([*tried, *([f"asking {asking}"] if asking else [])])
    name = describe(certificate)
    return RevocationFinding(
        _UNKNOWN, f"{name}: whether it is revoked is not known: {text}", places.is_named
    )


def _bound(table: OrderedDict[bytes, T]) -> None:
    if len(table) > _REMEMBERED:
        table.popitem(last=False)
