"""Peers whose certificates are asked about before they are believed, and again later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding, RevocationPolicy
from ikeactors.protocol.actions import CheckRevocation, ClaimIdentity
from ikeactors.protocol.events import RevocationChecked
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.timers import Timer
from tests.crypto.pki.making import NOW
from tests.pair import End, Pair, opposite
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    WEST_HOLDER,
    by_key,
    keyring,
    pair_of,
    signing,
)

GOOD = RevocationFinding(Revocation.GOOD, "CN=peer is on no CRL")
REVOKED = RevocationFinding(
    Revocation.REVOKED, "CN=peer is revoked since 2026-05-01 10:00 UTC (key_compromise)"
)
UNKNOWN = RevocationFinding(Revocation.UNKNOWN, "CN=peer: there is no CRL of CN=root for it")


def strict() -> ConnectionSettings:
    return signing(remote=by_key("east.example", revocation=RevocationPolicy.STRICT))


def checks(end: End) -> list[CheckRevocation]:
    return [one for one in end.actions if isinstance(one, CheckRevocation)]


def test_both_ends_ask_about_the_path_before_the_ike_sa_stands() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.west.findings = pair.east.findings = (GOOD,)
    pair.establish()
    for end in pair.ends():
        assert [len(one.chain) for one in checks(end)] == [2]
        asked, claimed = (
            next(n for n, one in enumerate(end.actions) if isinstance(one, kind))
            for kind in (CheckRevocation, ClaimIdentity)
        )
        assert asked < claimed
        assert end.said("revocation-checked")[0].text == GOOD.text


def test_nothing_is_asked_about_a_pre_shared_key() -> None:
    pair = Pair().establish()
    assert not checks(pair.west) + checks(pair.east)


def test_the_responder_refuses_a_revoked_initiator_with_reason_and_date() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.east.findings = (REVOKED,)
    pair.initiate()
    pair.settle()
    assert REVOKED.text in pair.east.said("authentication-failed")[0].text
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.west.association.closed
    assert pair.east.association.closed
    assert not pair.east.sas


def test_the_initiator_refuses_a_revoked_responder_and_tells_it() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.west.findings = (REVOKED,)
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure == REVOKED.text
    assert "--> HDR, SK {N(AUTHENTICATION_FAILED)}" in pair.trace
    assert pair.east.association.closed
    assert not pair.west.sas
    assert not pair.east.sas


@pytest.mark.parametrize(("policy", "stands"), [("strict", False), ("relaxed", True)])
def test_what_is_unknown_is_refused_by_the_strict(policy: str, stands: bool) -> None:
    remote = by_key("east.example", revocation=RevocationPolicy(policy))
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, signing(remote=remote))
    pair.west.findings = (UNKNOWN,)
    pair.initiate()
    pair.settle()
    assert pair.west.association.established is stands
    if not stands:
        assert pair.west.association.failure == f'{UNKNOWN.text} (revocation = "strict")'


def test_who_waits_for_an_answer_goes_on_where_it_was() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, strict())
    pair.west.findings = pair.east.findings = (GOOD,)
    pair.slow = []
    pair.initiate()
    pair.settle()
    assert not pair.east.association.established
    while pair.slow or pair.flights:
        if pair.slow:
            pair.give(*pair.slow.pop(0))
        pair.settle()
    pair.assert_mirrored()
    assert pair.west.association.established


def test_the_peers_patience_is_not_ended_by_its_half_open_timer() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, strict())
    pair.slow = []
    pair.initiate()
    pair.settle()
    pair.pass_time(45.0)
    assert not pair.east.association.closed
    pair.pass_time(30.0)
    assert pair.east.association.closed


def test_an_answer_after_the_end_is_passed_over() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.slow = []
    pair.initiate()
    pair.settle()
    ticket = checks(pair.east)[0].ticket
    pair.pass_time(100.0)
    pair.give(pair.east, RevocationChecked(ticket, (GOOD,)))
    assert pair.east.association.closed


# While the IKE SA stands.


def rechecked(wall_clock: float = NOW) -> Pair:
    settings = signing(remote=by_key("east.example", revocation_recheck=3600.0))
    settings = replace(settings, rekey_time=0.0)
    credentials = {"west": keyring(WEST_HOLDER), "east": keyring(EAST_HOLDER)}
    mirror = replace(opposite(settings), local=by_key("east.example"))
    return Pair(settings, mirror, credentials=credentials, wall_clock=wall_clock)


def test_a_certificate_revoked_meanwhile_ends_the_ike_sa() -> None:
    pair = rechecked().establish()
    pair.pass_time(3000.0)
    assert len(checks(pair.west)) == 1
    pair.west.findings = (REVOKED,)
    pair.pass_time(700.0)
    assert pair.west.said("certificate-refused")[0].text == REVOKED.text
    assert pair.west.association.closed
    assert pair.east.association.closed


def test_that_nobody_can_be_asked_later_ends_nothing() -> None:
    pair = rechecked().establish()
    pair.west.findings = (UNKNOWN,)
    pair.pass_time(8000.0)
    assert pair.west.association.established
    assert [one.text for one in pair.west.said("revocation-unknown")] == [UNKNOWN.text] * 2


def test_a_certificate_that_has_expired_ends_the_ike_sa() -> None:
    pair = rechecked(NOW)
    surroundings = replace(
        pair.west.association.surroundings, wall_clock=lambda: NOW + 86400.0 * (pair.now > 2000.0)
    )
    pair.west.association.surroundings = surroundings
    pair.establish()
    pair.pass_time(3700.0)
    assert pair.west.association.established
    late = replace(surroundings, wall_clock=lambda: NOW + 366 * 86400.0)
    pair.west.association.surroundings = late
    pair.pass_time(3700.0)
    assert "have expired: CN=east" in pair.west.said("certificate-refused")[0].text
    assert pair.west.association.closed


def test_a_restored_association_looks_again_too() -> None:
    pair = rechecked().establish()
    west = pair.west.association
    checkpoint = west.checkpoint(pair.now)
    restored = type(west).restored(west.settings, checkpoint, west.surroundings, pair.now, 0.0)
    assert restored.timers.due_at(Timer.RECHECK) == west.timers.due_at(Timer.RECHECK)
    pair.west.association = restored
    pair.west.findings = (REVOKED,)
    pair.pass_time(3700.0)
    assert pair.west.said("certificate-refused")
