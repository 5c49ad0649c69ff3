"""Who a peer is: identities of every kind, shared keys that fit and that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, IdType, NotifyType
from ikeactors.protocol.ikev2.authentication import identity_of
from ikeactors.protocol.settings import AuthSettings, IdentityPattern, Secret
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import (
    Authentication,
    IdentificationInitiator,
    IdentificationResponder,
    Notify,
)
from tests.pair import EAST, WEST, Pair, connection, opposite
from tests.protocol.forging import added, change_clear, change_sealed, initiated, opened, swapped

KINDS = [
    "192.0.2.1",
    "2001:db8::1",
    "west.example",
    "west@example.org",
    "keyid:west",
    "C=CH, O=Example, CN=west",
]


def known_as(text: str) -> AuthSettings:
    return AuthSettings("psk", IdentityPattern(Identity.from_text(text)))


def under_way(pair: Pair | None = None, steps: int = 2) -> Pair:
    pair = initiated(pair)
    for _ in range(steps):
        pair.deliver(pair.flights[0])
    return pair


@pytest.mark.parametrize("text", KINDS)
def test_identities_of_every_kind_authenticate(text: str) -> None:
    """(RFC 7296 section 3.5)"""
    pair = Pair(connection(local=known_as(text))).establish()
    assert pair.east.association.snapshot(pair.now).remote_id == str(Identity.from_text(text))
    pair.assert_mirrored()


def test_an_end_without_an_identity_is_its_address() -> None:
    anybody = AuthSettings("psk", IdentityPattern())
    pair = Pair(connection(local=anybody, remote=anybody)).establish()
    snapshot = pair.west.association.snapshot(pair.now)
    assert (snapshot.local_id, snapshot.remote_id) == (str(WEST.address), str(EAST.address))
    assert "IDr" not in pair.trace[2]
    assert identity_of(anybody, WEST.address).type is IdType.IPV4_ADDR


@pytest.mark.parametrize("wrong", ["west", "east"])
def test_a_wrong_secret_is_explained_on_both_ends(wrong: str) -> None:
    pair = Pair(**{f"{wrong}_secret": b"another secret altogether"})
    initiated(pair).settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert "the pre-shared key is not the same" in pair.west.association.failure
    (report,) = pair.east.said("authentication-failed")
    assert "the pre-shared key between east.example and west.example" in report.text
    for end in pair.ends():
        assert end.association.closed
        assert not end.sas
    assert not pair.west.answers[0].succeeded


def test_a_responder_whose_proof_does_not_hold_is_told_so() -> None:
    """(RFC 7296 section 2.21.2)"""
    pair = under_way(steps=3)
    forged = Authentication(AuthMethod.SHARED_KEY, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(Authentication, lambda _: forged))
    pair.settle()
    assert pair.trace[-2] == "--> HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.west.association.closed
    assert pair.east.association.closed
    assert not pair.west.sas
    assert not pair.east.sas


@pytest.mark.parametrize(
    "change",
    [
        lambda auth: replace(auth, data=b""),
        lambda auth: replace(auth, data=auth.data[:-1]),
        lambda auth: replace(auth, data=auth.data + b"\0"),
        lambda auth: replace(auth, data=bytes((auth.data[0] ^ 1,)) + auth.data[1:]),
        lambda auth: replace(auth, method=AuthMethod.RSA_SIGNATURE),
        lambda auth: replace(auth, method=AuthMethod.NULL),
        lambda auth: replace(auth, method=AuthMethod(200)),
    ],
)
def test_a_proof_that_does_not_hold_is_refused(change: object) -> None:
    """E6, E7: empty, too short, too long, another, another method"""
    pair = under_way()
    change_sealed(pair, pair.flights[0], swapped(Authentication, change))  # type: ignore[arg-type]
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert not pair.east.sas
    assert pair.east.association.closed


def test_our_own_proof_sent_back_is_no_proof() -> None:
    """E5"""
    pair = under_way()
    (ours,) = [
        one
        for one in opened(pair.west, pair.flights[0].datagram.octets)
        if isinstance(one, Authentication)
    ]
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], swapped(Authentication, lambda _: ours))
    pair.settle()
    assert not pair.west.association.established
    assert not pair.west.sas


def test_an_identity_that_nobody_knows_is_refused_and_explained() -> None:
    pair = Pair(connection(local=known_as("stranger.example")), opposite(connection()))
    initiated(pair).settle()
    (report,) = pair.east.said("authentication-failed")
    assert "says it is stranger.example" in report.text
    assert "compared: gw" in report.text
    assert "it does not know us as stranger.example" in pair.west.association.failure


def test_a_responder_that_is_somebody_else_is_refused() -> None:
    pair = under_way(steps=3)
    other = IdentificationResponder(Identity.from_text("other.example"))
    change_sealed(pair, pair.flights[0], swapped(IdentificationResponder, lambda _: other))
    pair.settle()
    assert "says it is other.example" in pair.west.association.failure
    assert "expects east.example" in pair.west.association.failure


def test_a_responder_that_is_asked_for_somebody_else_refuses() -> None:
    west = connection(remote=known_as("other.example"))
    pair = Pair(west, opposite(connection()))
    initiated(pair).settle()
    (report,) = pair.east.said("authentication-failed")
    assert "asks for other.example" in report.text


def test_an_identity_changed_on_its_way_does_not_authenticate() -> None:
    """E12"""
    anybody = connection(local=AuthSettings("psk", IdentityPattern()))
    pair = under_way(Pair(anybody))
    other = IdentificationInitiator(Identity.from_text("other.example"))
    change_sealed(pair, pair.flights[0], swapped(IdentificationInitiator, lambda _: other))
    pair.settle()
    assert not pair.east.association.established
    assert not pair.east.sas


@pytest.mark.parametrize("which", [0, 1])
def test_ike_sa_init_is_under_the_proof_octet_for_octet(which: int) -> None:
    """E12: a notify more in either message, which changes no key."""

    pair = initiated()
    if which:
        pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], added(Notify(NotifyType(40000), b"x")))
    pair.settle()
    assert not pair.west.association.established
    assert not pair.west.sas
    assert not pair.east.sas


@pytest.mark.parametrize("end", ["west", "east"])
def test_an_end_without_a_secret_says_so(end: str) -> None:
    pair = Pair()
    stranger = Secret("x", (IdentityPattern(Identity.from_text("x.example")),), b"x")
    settings = replace(getattr(pair, f"{end}_settings"), secrets=(stranger,))
    if end == "west":
        pair.west.association.settings = settings
    else:
        pair.east_settings = settings
        pair.east.association = pair.responder()
    initiated(pair).settle()
    reports = (
        pair.west.said("ike-sa-failed")
        if end == "west"
        else pair.east.said("authentication-failed")
    )
    assert "there is no pre-shared key between" in reports[0].text
    assert pair.west.association.closed
    assert not pair.east.sas


def test_secrets_are_in_no_report_and_no_trace() -> None:
    pair = Pair().establish()
    said = repr(pair.west.reports) + repr(pair.west.traces) + repr(pair.west.actions)
    said += repr(pair.west.association.ike_sa.outgoing) + repr(pair.west_settings)
    assert "a secret of thirty-two" not in said
    assert pair.west.association.ike_sa.keys.sk_d.hex() not in said
    assert repr(pair.west.association.ike_sa.keys.sk_ei) not in said
    assert AuthenticationFailed("x").data == b""
