"""What is kept of our own certificates for peers that ask."""

from __future__ import annotations

import trio
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ikeactors.actors.fetching import Unfetchable, Wanted
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.staples import Staples
from tests.crypto.pki.making import NOW, authority, certify
from tests.crypto.pki.revoking import answer_of, responders

ROOT = authority("CN=root")
OWN = certify("CN=own", ROOT, responders("http://ocsp/"))
SILENT = certify("CN=silent", ROOT)
GOOD = ocsp.OCSPCertStatus.GOOD


class Responder:
    """Answers what is asked, if it answers at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_up = True

    async def fetch(self, wanted: Wanted) -> bytes:
        self.asked += 1
        if not self.is_up:
            raise Unfetchable("it answers 503")
        return answer_of(wanted.body, OWN, ROOT, GOOD, nonce=None)


class World:
    def __init__(self) -> None:
        self.responder = Responder()
        self.now = NOW
        self.hub = ReportHub(lambda: self.now)
        self.staples = Staples(self.responder.fetch, lambda: self.now, self.hub)
        own = (OWN.certificate, SILENT.certificate)
        self.staples.configure((one, ROOT.certificate) for one in own)

    def of(self, holder: object = OWN) -> bytes:
        return self.staples.of(holder.certificate.public_bytes(Encoding.DER))  # type: ignore[attr-defined]


async def test_an_answer_is_there_for_the_second_who_asks(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """(RFC 4806 section 3.2)"""
    world = World()
    nursery.start_soon(world.staples.run)
    await trio.sleep(120)
    assert world.responder.asked == 0
    assert world.of() == b""
    await trio.sleep(1)
    assert ocsp.load_der_ocsp_response(world.of()).certificate_status is GOOD


async def test_an_answer_is_fetched_anew_before_it_ends_and_not_before(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = World()
    nursery.start_soon(world.staples.run)
    world.of()
    await trio.sleep(600)
    assert world.responder.asked == 1
    world.now += 1900
    await trio.sleep(70)
    assert world.responder.asked == 2


async def test_an_answer_that_has_ended_is_sent_to_nobody(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = World()
    nursery.start_soon(world.staples.run)
    world.of()
    await trio.sleep(1)
    world.responder.is_up = False
    world.now += 3700
    assert world.of() == b""


async def test_a_responder_that_is_down_is_reported_and_asked_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = World()
    world.responder.is_up = False
    nursery.start_soon(world.staples.run)
    world.of()
    await trio.sleep(1)
    world.responder.is_up = True
    world.now += 61
    await trio.sleep(61)
    assert world.of()


async def test_of_others_certificates_nothing_is_asked(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = World()
    nursery.start_soon(world.staples.run)
    assert world.of(ROOT) == world.of(SILENT) == b""
    await trio.sleep(200)
    assert world.responder.asked == 0
