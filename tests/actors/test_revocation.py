"""Who finds out what is revoked: from lists and responders, in time, and for all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ikeactors.actors.crl_files import CrlFiles
from ikeactors.actors.crls import Crls
from ikeactors.actors.fetching import Unfetchable, Wanted
from ikeactors.actors.flights import FAILED_FOR
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.revocation import (
    MAX_PENDING,
    Examiner,
    RevocationChecks,
    run_revocation,
)
from ikeactors.actors.unchecked import Unchecked
from ikeactors.crypto.pki.ocsp import Question
from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding
from tests.crypto.pki.making import NOW, Extensions, Holder, authority, certify
from tests.crypto.pki.revoking import AT, HOUR, answer_of, crl_of, der_of, points, responders

GOOD, REVOKED, UNKNOWN = Revocation

ROOT = authority("CN=root")
PLAIN = certify("CN=peer", ROOT)
LISTED = certify("CN=peer", ROOT, points("http://crl/"))
ASKED = certify("CN=peer", ROOT, responders("http://ocsp/"))
BOTH = certify("CN=peer", ROOT, [*points("http://crl/"), *responders("http://ocsp/")])

Serve = Callable[[Wanted], Awaitable[bytes]]


class Web:
    """What is served by URL; all that was asked for."""

    def __init__(self) -> None:
        self.served: dict[str, bytes | Callable[[bytes], bytes]] = {}
        self.asked: list[str] = []
        self.takes = 0.0

    async def fetch(self, wanted: Wanted) -> bytes:
        self.asked.append(wanted.url)
        await trio.sleep(self.takes)
        found = self.served.get(wanted.url)
        if found is None:
            raise Unfetchable("it answers 404")
        return found if isinstance(found, bytes) else found(wanted.body)


async def in_place(work: Callable[[], Any]) -> Any:
    await trio.lowlevel.checkpoint()
    return work()


class World:
    """An actor, and what it works with."""

    def __init__(self, directory: Path) -> None:
        self.now = NOW
        self.web = Web()
        self.hub = ReportHub(lambda: self.now)
        self.directory = directory
        self.restart()

    def restart(self) -> None:
        """A new process with the same disk."""
        files = CrlFiles(self.directory)
        self.crls = Crls(self.web.fetch, files, lambda: self.now, self.hub, in_place)
        self.examiner = Examiner(self.crls, self.web.fetch, in_place, bytes, lambda: self.now, 10.0)
        self.checks = RevocationChecks(self.examiner.at_once)

    async def find(self, *path: Holder) -> RevocationFinding:
        """What is found out about the first certificate of a path that ends at the root."""
        answers: list[tuple[RevocationFinding, ...]] = []
        answered = trio.Event()

        def answer(findings: tuple[RevocationFinding, ...]) -> None:
            answers.append(findings)
            answered.set()

        self.checks.check(chain_of(*path), answer)
        await answered.wait()
        return answers[0][0]


def chain_of(*path: Holder) -> tuple[bytes, ...]:
    return tuple(one.certificate.public_bytes(Encoding.DER) for one in (*path, ROOT))


@pytest.fixture
def world(tmp_path: Path, nursery: trio.Nursery) -> World:
    world = World(tmp_path / "crls")
    nursery.start_soon(run_revocation, world.checks, world.examiner)
    return world


def ocsp_answering(holder: Holder, status: ocsp.OCSPCertStatus) -> Callable[[bytes], bytes]:
    return lambda request: answer_of(request, holder, ROOT, status)


async def test_a_configured_list_tells_without_a_fetch(world: World) -> None:
    world.crls.configure([crl_of(ROOT, PLAIN)])
    found = await world.find(PLAIN)
    assert found.status is REVOKED
    assert found.text.startswith("CN=peer is revoked since 2026-05-01 10:00 UTC")
    assert not world.web.asked


async def test_who_is_on_no_list_is_good(world: World) -> None:
    world.crls.configure([crl_of(ROOT)])
    assert (await world.find(PLAIN)).status is GOOD


async def test_what_a_plain_list_says_of_the_next_certificate_is_known_at_once(
    world: World,
) -> None:
    world.crls.configure([crl_of(ROOT, LISTED)])
    assert world.examiner.at_once(chain_of(PLAIN)) is None
    assert (await world.find(PLAIN)).status is GOOD
    other = certify("CN=other peer", ROOT)
    at_once = world.examiner.at_once(chain_of(other))
    assert at_once is not None
    assert at_once[0].text == "CN=other peer is on no CRL"
    assert world.examiner.at_once(chain_of(LISTED)) is None
    assert (await world.find(LISTED)).status is REVOKED


async def test_a_new_list_and_the_end_of_one_are_noticed_at_once(world: World) -> None:
    world.crls.configure([crl_of(ROOT)])
    await world.find(PLAIN)
    assert world.examiner.at_once(chain_of(PLAIN)) is not None
    world.crls.configure([crl_of(ROOT, PLAIN, number=2)])
    assert (await world.find(PLAIN)).status is REVOKED
    world.crls.configure([crl_of(ROOT)])
    await world.find(PLAIN)
    world.now += 3601.0
    assert (await world.find(PLAIN)).status is UNKNOWN


async def test_where_nobody_can_be_asked_nobody_waits(world: World) -> None:
    answers: list[tuple[RevocationFinding, ...]] = []
    world.checks.check(chain_of(PLAIN), answers.append)
    assert [one.status for one in answers[0]] == [UNKNOWN]
    assert world.checks.statistics().unknown == 1


async def test_where_nobody_can_tell_that_is_said(world: World) -> None:
    found = await world.find(PLAIN)
    assert found.status is UNKNOWN
    assert not found.is_named
    assert "it names nobody who could tell, and there is no CRL" in found.text


@pytest.mark.parametrize("revoked", [(), (LISTED,)])
async def test_a_list_is_fetched_where_the_certificate_says(
    world: World, revoked: tuple[Holder, ...]
) -> None:
    world.web.served["http://crl/"] = der_of(crl_of(ROOT, *revoked))
    found = await world.find(LISTED)
    assert found.status is (REVOKED if revoked else GOOD)
    assert found.is_named
    await world.find(LISTED)
    assert world.web.asked == ["http://crl/"]


async def test_a_fetched_list_survives_a_restart(world: World, nursery: trio.Nursery) -> None:
    world.web.served["http://crl/"] = der_of(crl_of(ROOT, LISTED))
    await world.find(LISTED)
    world.web.served.clear()
    world.restart()
    nursery.start_soon(run_revocation, world.checks, world.examiner)
    assert (await world.find(LISTED)).status is REVOKED


OTHER = authority("CN=other")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"<html>", "a CRL cannot be read"),
        (der_of(crl_of(ROOT, key=OTHER)), "the signature of its CRL is not of CN=root"),
        (der_of(crl_of(OTHER)), "its CRL is not of CN=root"),
        (der_of(crl_of(ROOT, since=AT - 9 * HOUR, until=AT - HOUR)), "its CRL is of the past"),
        (
            der_of(
                crl_of(
                    ROOT,
                    extensions=[
                        (
                            x509.IssuingDistributionPoint(
                                None, None, False, False, None, True, False
                            ),
                            True,
                        )
                    ],
                )
            ),
            "its CRL is indirect",
        ),
    ],
)
async def test_lists_that_are_not_believed(world: World, octets: bytes, reason: str) -> None:
    """Case E22."""
    world.web.served["http://crl/"] = octets
    found = await world.find(LISTED)
    assert found.status is UNKNOWN
    assert f"http://crl/: {reason}" in found.text


async def test_a_forged_list_does_not_hide_what_a_configured_one_tells(world: World) -> None:
    world.crls.configure([crl_of(ROOT, LISTED)])
    world.web.served["http://crl/"] = der_of(crl_of(ROOT, key=OTHER, number=9))
    assert (await world.find(LISTED)).status is REVOKED


async def test_a_delta_tells_what_has_changed(world: World) -> None:
    extensions = points("http://delta/", kind=x509.FreshestCRL)
    peer = certify("CN=peer", ROOT, [*points("http://crl/"), *extensions])
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    indicator: Extensions = [(x509.DeltaCRLIndicator(1), True)]
    world.web.served["http://delta/"] = der_of(crl_of(ROOT, peer, number=2, extensions=indicator))
    assert (await world.find(peer)).status is REVOKED


@pytest.mark.parametrize(
    ("status", "found"),
    [(ocsp.OCSPCertStatus.GOOD, GOOD), (ocsp.OCSPCertStatus.REVOKED, REVOKED)],
)
async def test_a_responder_is_asked(
    world: World, status: ocsp.OCSPCertStatus, found: Revocation
) -> None:
    world.web.served["http://ocsp/"] = ocsp_answering(ASKED, status)
    assert (await world.find(ASKED)).status is found
    assert (await world.find(ASKED)).status is found
    assert world.web.asked == ["http://ocsp/"]


async def test_an_answer_is_asked_for_again_when_it_has_ended(world: World) -> None:
    world.web.served["http://ocsp/"] = ocsp_answering(ASKED, ocsp.OCSPCertStatus.GOOD)
    await world.find(ASKED)
    world.now += 3601.0
    world.web.served.clear()
    assert (await world.find(ASKED)).status is UNKNOWN


async def test_a_list_is_fetched_where_the_responder_does_not_know(world: World) -> None:
    world.web.served["http://ocsp/"] = ocsp_answering(BOTH, ocsp.OCSPCertStatus.UNKNOWN)
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    assert (await world.find(BOTH)).status is GOOD
    assert world.web.asked == ["http://ocsp/", "http://crl/"]


async def test_all_that_was_tried_is_told(world: World) -> None:
    found = await world.find(BOTH)
    assert found.status is UNKNOWN
    assert "http://ocsp/: it answers 404; http://crl/: it answers 404" in found.text


async def test_who_has_just_failed_is_not_asked_by_the_next(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    await world.find(LISTED)
    found = await world.find(LISTED)
    assert "it answers 404, a moment ago" in found.text
    assert world.web.asked == ["http://crl/"]
    await trio.sleep(FAILED_FOR + 1.0)
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    assert (await world.find(LISTED)).status is GOOD


async def test_a_server_that_takes_too_long_is_told_at_the_deadline(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    """Case E20."""
    world.web.takes = 30.0
    began = trio.current_time()
    found = await world.find(LISTED)
    assert trio.current_time() - began == pytest.approx(10.0)
    assert "asking http://crl/, and nobody has told within 10 s" in found.text


async def test_a_fetch_goes_on_for_the_next_when_patience_ends(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    world.web.takes = 30.0
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    assert (await world.find(LISTED)).status is UNKNOWN
    await trio.sleep(25.0)
    assert (await world.find(LISTED)).status is GOOD
    assert world.web.asked == ["http://crl/"]


async def test_while_one_waits_no_other_does(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    """Case E20."""
    world.web.takes = 9.0
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    waited: list[float] = []

    async def find(peer: Holder) -> None:
        await world.find(peer)
        waited.append(trio.current_time())

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for peer in (LISTED, LISTED, PLAIN):
            nursery.start_soon(find, peer)
    assert [round(one - began, 6) for one in waited] == [0.0, 9.0, 9.0]
    assert world.web.asked == ["http://crl/"]


async def test_a_list_in_use_is_fetched_before_it_ends(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    world.web.served["http://crl/"] = der_of(crl_of(ROOT))
    await world.find(LISTED)
    world.now += 3000.0
    world.web.served["http://crl/"] = der_of(
        crl_of(ROOT, LISTED, number=2, since=AT, until=AT + 9 * HOUR)
    )
    await trio.sleep(61.0)
    assert world.web.asked == ["http://crl/"] * 2
    assert (await world.find(LISTED)).status is REVOKED


async def test_an_intermediate_certificate_is_checked_too(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    branch = authority("CN=branch", ROOT)
    leaf = certify("CN=leaf", branch)
    world.crls.configure([crl_of(ROOT, branch), crl_of(branch)])
    answers: list[tuple[RevocationFinding, ...]] = []
    world.checks.check(chain_of(leaf, branch), answers.append)
    with trio.fail_after(5.0):
        while not answers:
            await trio.sleep(0.1)
    assert [one.status for one in answers[0]] == [GOOD, REVOKED]


async def test_more_checks_than_are_borne_are_answered_at_once() -> None:
    checks = RevocationChecks()
    answers: list[tuple[RevocationFinding, ...]] = []
    for _ in range(MAX_PENDING + 1):
        checks.check(chain_of(PLAIN), answers.append)
    assert len(answers) == 1
    assert "too many certificates are being checked" in answers[0][0].text
    assert checks.statistics().pending == MAX_PENDING


async def test_what_a_crashed_actor_has_begun_is_answered() -> None:
    checks = RevocationChecks()
    answers: list[tuple[RevocationFinding, ...]] = []
    checks.check(chain_of(PLAIN), answers.append)
    await checks.next()
    checks.give_up()
    assert answers[0][0].status is UNKNOWN
    assert checks.statistics().pending == 0


def test_where_nobody_checks_every_check_is_answered() -> None:
    answers: list[tuple[RevocationFinding, ...]] = []
    Unchecked().check(chain_of(PLAIN), answers.append)
    assert [one.status for one in answers[0]] == [UNKNOWN]


async def found_with(world: World, holder: Holder, *answers: bytes) -> RevocationFinding:
    """What is found out where the peer has sent these OCSP responses along."""
    found: list[tuple[RevocationFinding, ...]] = []
    answered = trio.Event()

    def answer(findings: tuple[RevocationFinding, ...]) -> None:
        found.append(findings)
        answered.set()

    world.checks.check(chain_of(holder), answer, answers)
    await answered.wait()
    return found[0][0]


def sent_along(holder: Holder, status: ocsp.OCSPCertStatus, **changes: Any) -> bytes:
    question = Question(holder.certificate, ROOT.certificate, None).write()
    return answer_of(question, holder, ROOT, status, **{"nonce": None, **changes})


async def test_an_answer_that_the_peer_has_sent_along_will_do(world: World) -> None:
    """(RFC 4806 section 4.1)"""
    for holder in (ASKED, PLAIN):
        finding = await found_with(world, holder, sent_along(holder, ocsp.OCSPCertStatus.GOOD))
        assert finding.status is GOOD
        assert finding.text.endswith("is good by OCSP, as the peer has it")
    assert world.web.asked == []


async def test_who_sends_along_that_it_is_revoked_is_revoked(world: World) -> None:
    finding = await found_with(world, PLAIN, sent_along(PLAIN, ocsp.OCSPCertStatus.REVOKED))
    assert finding.status is REVOKED


async def test_an_answer_sent_along_that_is_no_use_is_as_good_as_none(world: World) -> None:
    """E22"""
    world.web.served["http://ocsp/"] = ocsp_answering(ASKED, ocsp.OCSPCertStatus.GOOD)
    of_another = sent_along(PLAIN, ocsp.OCSPCertStatus.GOOD)
    old = sent_along(ASKED, ocsp.OCSPCertStatus.GOOD, since=AT - 9 * HOUR, until=AT - 8 * HOUR)
    forged = sent_along(ASKED, ocsp.OCSPCertStatus.GOOD, signer=authority("CN=root"))
    finding = await found_with(world, ASKED, b"", b"junk", of_another, old, forged)
    assert finding.status is GOOD
    assert not finding.text.endswith("as the peer has it")
    assert world.web.asked == ["http://ocsp/"]


async def test_a_list_that_says_revoked_weighs_more_than_what_is_sent_along(world: World) -> None:
    world.crls.configure([crl_of(ROOT, PLAIN)])
    finding = await found_with(world, PLAIN, sent_along(PLAIN, ocsp.OCSPCertStatus.GOOD))
    assert finding.status is REVOKED
