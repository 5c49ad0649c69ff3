"""What OCSP says of our own certificates, for peers that ask for it along with them (RFC 4806).

Nobody waits for it: who asks first gets nothing, and from then on it is kept fresh while somebody
asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.actors.crls import Fetch
from ikeactors.actors.fetching import Wanted
from ikeactors.actors.reports import ReportHub
from ikeactors.crypto.pki.certificates import describe
from ikeactors.crypto.pki.ocsp import MAX_ANSWER_OCTETS, Question, read_answer
from ikeactors.crypto.pki.places import places_of
from ikeactors.errors import Fault
from ikeactors.protocol.actions import Level, Report

# Ours: certificates of our own that peers are told about.
_MAX_STAPLES = 64
# Ours: how often it is looked what is due, in seconds.
_LOOK_EVERY = 60.0
# Ours: an answer is fetched anew when half of its time is over.
_DUE_PART = 0.5
# Ours: nobody has asked for so long: it is not fetched any more.
_IN_USE_FOR = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Staple:
    """An answer, nothing if there is none yet; when the next one is due, and its end."""

    octets: bytes
    due_at: float
    ends_at: float
    asked_at: float


class Staples:
    """The answers by our certificates; it outlives the actor."""

    def __init__(self, fetch: Fetch, wall_clock: Callable[[], float], hub: ReportHub) -> None:
        self._fetch = fetch
        self._wall_clock = wall_clock
        self._hub = hub
        self._own: dict[bytes, tuple[x509.Certificate, x509.Certificate]] = {}
        self._staples: OrderedDict[bytes, Staple] = OrderedDict()
        self._asked = trio.Event()

    def configure(self, own: Iterable[tuple[x509.Certificate, x509.Certificate]]) -> None:
        """Our certificates, each with its issuer's."""
        self._own = {one.public_bytes(Encoding.DER): (one, issuer) for one, issuer in own}

    def of(self, certificate: bytes) -> bytes:
        """The answer about a certificate of ours in DER; nothing where there is none."""
        if certificate not in self._own:
            return b""
        now = self._wall_clock()
        known = self._staples.get(certificate)
        if known is None:
            known = Staple(b"", now, now, now)
            self._asked.set()
        self._staples[certificate] = replace(known, asked_at=now)
        self._staples.move_to_end(certificate)
        if len(self._staples) > _MAX_STAPLES:
            self._staples.popitem(last=False)
        return known.octets if now < known.ends_at else b""

    async def run(self) -> None:
        """The actor: fetch what is due, for ever."""
        while True:
            now = self._wall_clock()
            for name, one in list(self._staples.items()):
                if name in self._own and one.due_at <= now < one.asked_at + _IN_USE_FOR:
                    await self._renew(name, one)
            with trio.move_on_after(_LOOK_EVERY):
                await self._asked.wait()
            self._asked = trio.Event()

    async def _renew(self, name: bytes, old: Staple) -> None:
        certificate, issuer = self._own[name]
        question = Question(certificate, issuer, None)
        tried: list[str] = []
        for url in places_of(certificate).responders:
            wanted = Wanted(url, MAX_ANSWER_OCTETS, question.write(), "application/ocsp-request")
            now = self._wall_clock()
            try:
                octets = await self._fetch(wanted)
                verdict = read_answer(octets, question, now)
            except Fault as fault:
                tried.append(f"{url}: {fault}")
                continue
            due_at = now + (verdict.holds_until - now) * _DUE_PART
            self._staples[name] = Staple(octets, due_at, verdict.holds_until, old.asked_at)
            return
        self._staples[name] = replace(old, due_at=self._wall_clock() + _LOOK_EVERY)
        if tried:
            text = f"no OCSP response about our certificate {describe(certificate)}: "
            self._hub.publish(Report("ocsp-not-fetched", text + "; ".join(tried), Level.WARNING))
