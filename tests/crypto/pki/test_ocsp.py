"""What an OCSP answer is worth: case E22 row by row."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto.pki.ocsp import MAX_ANSWER_OCTETS, Question, read_answer
from ikeactors.crypto.pki.revocation import Revocation
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import NOW, authority, certify
from tests.crypto.pki.revoking import AT, HOUR, answer_of

ROOT = authority("CN=root")
PEER = certify("CN=peer", ROOT)
OTHER = certify("CN=other", ROOT)
NONCE = bytes(range(32))
QUESTION = Question(PEER.certificate, ROOT.certificate, NONCE)
REQUEST = QUESTION.write()

SIGNING = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)]
DELEGATE = certify("CN=responder", ROOT, SIGNING)
STRANGER = certify("CN=responder", authority("CN=root"), SIGNING)
EXPIRED = certify("CN=responder", ROOT, SIGNING, not_after=AT - HOUR)


def answer(**changes: object) -> bytes:
    return answer_of(REQUEST, PEER, ROOT, **changes)  # type: ignore[arg-type]


def refusal(octets: bytes) -> str:
    with pytest.raises(CertificateRefused) as refused:
        read_answer(octets, QUESTION, NOW)
    return str(refused.value)


def test_a_good_certificate_is_good_until_the_next_update() -> None:
    verdict = read_answer(answer(), QUESTION, NOW)
    assert verdict.finding.status is Revocation.GOOD
    assert verdict.finding.text == "CN=peer is good by OCSP"
    assert verdict.holds_until == NOW + 3600


def test_a_revoked_one_is_told_with_date_and_reason() -> None:
    verdict = read_answer(answer(status=ocsp.OCSPCertStatus.REVOKED), QUESTION, NOW)
    assert verdict.finding.status is Revocation.REVOKED
    assert verdict.finding.text == "CN=peer is revoked since 2026-05-01 10:00 UTC (keyCompromise)"


def test_the_request_has_a_nonce_of_32_octets() -> None:
    """(RFC 9654 section 2.1)"""
    extensions = ocsp.load_der_ocsp_request(REQUEST).extensions
    assert extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(answer(signer=DELEGATE, sent=[DELEGATE]), id="delegate"),
        pytest.param(answer(signer=DELEGATE, sent=[DELEGATE], by_hash=True), id="delegate by key"),
        pytest.param(answer(by_hash=True), id="issuer by key"),
        pytest.param(answer(nonce=None), id="without a nonce"),
        pytest.param(answer(until=None, since=AT), id="of now"),
    ],
)
def test_these_answers_are_believed(octets: bytes) -> None:
    """(RFC 6960 section 4.2.2.2)"""
    assert read_answer(octets, QUESTION, NOW).finding.status is Revocation.GOOD


PLAIN = certify("CN=responder", ROOT)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (answer(nonce=bytes(32)), "its nonce differs"),
        (answer(signer=PLAIN, sent=[PLAIN]), "CN=responder is not certified for OCSPSigning"),
        (answer(signer=STRANGER, sent=[STRANGER]), "is not certified by CN=root"),
        (answer(signer=EXPIRED, sent=[EXPIRED]), "is not valid now"),
        (answer(signer=DELEGATE), "signed neither by CN=root nor by one it has certified"),
        (
            answer(signer=authority("CN=root")),
            "the signature of the OCSP response is not of CN=root",
        ),
        (answer(since=AT - 9 * HOUR, until=AT - 2 * HOUR), "is stale: of 2026-05-31 15:00"),
        (answer(since=AT - HOUR, until=None), "is stale"),
        (answer(since=AT + HOUR, until=AT + 2 * HOUR), "is of the future"),
        (answer(status=ocsp.OCSPCertStatus.UNKNOWN), "does not know CN=peer"),
        (answer_of(REQUEST, OTHER, ROOT), "about another certificate"),
        (
            answer_of(REQUEST, PEER, authority("CN=root")),
            "about another certificate",
        ),
        (b"", "no OCSP response"),
        (b"<html>", "no OCSP response"),
        (bytes(MAX_ANSWER_OCTETS + 1), "octets"),
    ],
)
def test_these_answers_are_not_believed(octets: bytes, reason: str) -> None:
    assert reason in refusal(octets)


@pytest.mark.parametrize("name", ["TRY_LATER", "UNAUTHORIZED", "MALFORMED_REQUEST"])
def test_a_responder_that_does_not_answer_says_so(name: str) -> None:
    status = ocsp.OCSPResponseStatus[name]
    unsuccessful = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    octets = unsuccessful.public_bytes(Encoding.DER)
    assert refusal(octets) == f"the OCSP responder says {name}"


GOOD = answer()


@given(st.binary(max_size=200) | st.integers(0, len(GOOD) - 1).map(lambda n: GOOD[:n]))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """Case E28."""
    assert refusal(octets)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_altered_answer_is_worth_more(at: int, change: int) -> None:
    octets = bytearray(GOOD)
    octets[at] ^= change
    try:
        verdict = read_answer(bytes(octets), QUESTION, NOW)
    except CertificateRefused:
        return
    assert verdict.finding.status is Revocation.GOOD
    assert verdict.holds_until == NOW + 3600
