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
from itertools import pairwise
from typing import Protocol, TypeVar

import trio
from cryptography import x509

from ikeactors.actors.crls import Crls, Fetch
from ikeactors.actors.fetching import Wanted
from ikeactors.actors.flights import Flights, Unreached
from ikeactors.actors.unchecked import Answer, unknown
from ikeactors.crypto.pki.certificates import describe, fingerprint_of, read_certificate
from ikeactors.crypto.pki.crls import cleared, statuses_by_crl
from ikeactors.crypto.pki.ocsp import (
    MAX_ANSWER_OCTETS,
    NONCE_OCTETS,
    Question,
    Verdict,
    read_answer,
)
from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.places import Places, deltas_of, places_of
from ikeactors.crypto.pki.plain_lists import PlainList, plain_list_of
from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding
from ikeactors.errors import CertificateRefused

K = TypeVar("K")
T = TypeVar("T")

# Ours: who authenticates while so many wait is answered at once that nothing is known.
MAX_PENDING = 1024
# Ours: what was found out about so many paths and certificates is remembered.
_REMEMBERED = 1024

_UNKNOWN = Revocation.UNKNOWN

Findings = tuple[RevocationFinding, ...]


class Run(Protocol):
    """Runs what computes where nobody waits for it."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Check:
    """A path in DER, who waits, and the OCSP responses that the peer has sent along."""

    chain: tuple[bytes, ...]
    answer: Answer
    answers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class RevocationStatistics:
    """Checks that wait, and those that were answered, by what came out."""

    pending: int
    good: int
    revoked: int
    unknown: int


def _never(_: tuple[bytes, ...]) -> Findings | None:
    return None


class RevocationChecks:
    """Checks that are not answered; it outlives the actor.

    `at_once` knows the findings about a path where nobody need be asked and nothing computed.
    """

    def __init__(self, at_once: Callable[[tuple[bytes, ...]], Findings | None] = _never) -> None:
        self._at_once = at_once
        self._waiting: deque[Check] = deque()
        self._begun: list[Check] = []
        self._filled = trio.Event()
        self._counts = dict.fromkeys(Revocation, 0)

    def check(
        self, chain: tuple[bytes, ...], answer: Answer, answers: tuple[bytes, ...] = ()
    ) -> None:
        """Have a path checked."""
        findings = None if answers else self._at_once(chain)
        if findings is not None:
            self._count(findings)
            answer(findings)
            return
        if len(self._waiting) + len(self._begun) >= MAX_PENDING:
            answer(unknown(chain, "too many certificates are being checked"))
            return
        self._waiting.append(Check(chain, answer, answers))
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
        self._count(findings)
        check.answer(findings)

    def give_up(self) -> None:
        """Whoever has begun these is dead, perhaps of one of them."""
        for check in tuple(self._begun):
            self.settle(check, unknown(check.chain, "the check was interrupted"))

    def statistics(self) -> RevocationStatistics:
        """What the admin socket shows."""
        pending = len(self._waiting) + len(self._begun)
        return RevocationStatistics(pending, *(self._counts[one] for one in Revocation))

    def _count(self, findings: Findings) -> None:
        for one in findings:
            self._counts[one.status] += 1


@dataclass(slots=True)
class Examiner:
    """Finds out about a path. `run` runs what computes elsewhere, `nonce` draws octets."""

    crls: Crls
    fetch: Fetch
    run: Run
    nonce: Callable[[int], bytes]
    wall_clock: Callable[[], float]
    patience: float
    flights: Flights[Verdict] = field(default_factory=Flights)
    _verdicts: OrderedDict[bytes, Verdict] = field(default_factory=OrderedDict)
    _plain: OrderedDict[x509.Certificate, tuple[int, PlainList | None]] = field(
        default_factory=OrderedDict
    )
    _known: OrderedDict[bytes, tuple[int, float, Findings]] = field(default_factory=OrderedDict)

    def at_once(self, chain: tuple[bytes, ...]) -> Findings | None:
        """What is known without a wait: all of it, or that nobody could tell more."""
        findings: list[RevocationFinding] = []
        for certificate, issuer in pairwise(map(read_certificate, chain)):
            places = places_of(certificate)
            lists = self.crls.of_issuers([certificate.issuer])
            if not lists and not places.is_named:
                findings.append(_without_list(certificate))
            elif len(lists) == 1 and self._clears(certificate, issuer):
                findings.append(cleared(certificate, is_named=places.is_named))
            else:
                return None
        return tuple(findings)

    def _clears(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """By the only list that is here of this issuer, if it is a plain one."""
        generation, known = self._plain.get(issuer, (-1, None))
        if known is None or generation != self.crls.generation:
            return False
        return known.clears(certificate, self.wall_clock())

    async def examine(self, chain: tuple[bytes, ...], answers: tuple[bytes, ...] = ()) -> Findings:
        """What can be found out in time."""
        path = CertificationPath(tuple(map(read_certificate, chain)))
        findings = list(await self._by_lists(path))
        if answers:
            findings = await self.run(
                partial(_by_answers, path, findings, answers, self.wall_clock())
            )
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
        known = self._recall(path.certificates)
        if known is not None:
            return known
        now = self.wall_clock()
        anchors = TrustAnchors([path.anchor])
        found = await self.run(partial(statuses_by_crl, anchors, path, lists, now))
        await self._learn(path)
        found = tuple(
            replace(one, is_named=places_of(certificate).is_named)
            for one, certificate in zip(found, certificates, strict=True)
        )
        key = _key_of(path.certificates)
        self._known[key] = self.crls.generation, self.crls.hold_until(lists), found
        _bound(self._known)
        return found

    async def _learn(self, path: CertificationPath) -> None:
        """What will spare others with the same issuers the wait."""
        for issuer in path.certificates[1:]:
            lists = self.crls.of_issuers([issuer.subject])
            generation = self.crls.generation
            if len(lists) == 1 and self._plain.get(issuer, (-1, None))[0] != generation:
                plain = await self.run(partial(plain_list_of, lists[0], issuer))
                self._plain[issuer] = generation, plain
                _bound(self._plain)

    def _recall(self, certificates: tuple[x509.Certificate, ...]) -> Findings | None:
        """What the lists that are here have said of a path."""
        generation, holds_until, known = self._known.get(_key_of(certificates), (-1, 0.0, ()))
        holds = generation == self.crls.generation and self.wall_clock() < holds_until
        return known if holds else None

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
        findings = await examiner.examine(check.chain, check.answers)
    except CertificateRefused as fault:
        findings = unknown(check.chain, str(fault))
    checks.settle(check, findings)


def _key_of(certificates: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(map(fingerprint_of, certificates))


def _by_answers(
    path: CertificationPath,
    findings: list[RevocationFinding],
    answers: tuple[bytes, ...],
    now: float,
) -> list[RevocationFinding]:
    """What OCSP responses say that the peer has sent along (RFC 4806 section 4.1).

    One that is of no use is as good as none: what is not known then is asked about.
    """
    for place, (certificate, issuer) in enumerate(pairwise(path.certificates)):
        if findings[place].status is not _UNKNOWN:
            continue
        for octets in answers:
            try:
                verdict = read_answer(octets, Question(certificate, issuer, None), now)
            except CertificateRefused:
                continue
            text = f"{verdict.finding.text}, as the peer has it"
            findings[place] = replace(verdict.finding, text=text, is_named=True)
            break
    return findings


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


def _bound(table: OrderedDict[K, T]) -> None:
    if len(table) > _REMEMBERED:
        table.popitem(last=False)
