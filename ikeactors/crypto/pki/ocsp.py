"""OCSP: a question about one certificate, and what an answer is worth (RFC 6960).

An answer counts if it is about the certificate that was asked about, signed by its issuer or by
who has the issuer's certificate for that, of now, and with our nonce if it has any (RFC 9654).
Many responders sign their answers beforehand, without a nonce; such an answer can be repeated by
others until its next update, and no longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikeactors.crypto.pki.certificates import describe, printable
from ikeactors.crypto.pki.profile import extension
from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding
from ikeactors.errors import CertificateRefused

# At least so many octets are to be sent (RFC 9654 section 2.1).
NONCE_OCTETS = 32
# Ours: an answer has a signature, and a certificate or two.
MAX_ANSWER_OCTETS = 64 * 1024
# Ours: how far the responder's clock may be from ours, in seconds.
_CLOCK_SKEW = 300.0
# Ours: an answer that does not say how long it holds is of now, and is kept that long.
_FRESH_FOR = 300.0


@dataclass(frozen=True, slots=True)
class Question:
    """About which certificate, of which issuer, and the nonce.

    None where somebody else has asked: then any nonce will do, and how old the answer is decides.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate
    nonce: bytes | None

    def write(self) -> bytes:
        """The request. Responders look the certificate up by SHA-1, which all of them know."""
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            self.certificate,
            self.issuer,
            SHA1(),
        )
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        return builder.build().public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a responder has said, and until when that holds, in seconds since 1970."""

    finding: RevocationFinding
    holds_until: float


def read_answer(octets: bytes, question: Question, at: float) -> Verdict:
    """What the answer says at a time in seconds since 1970. Raises CertificateRefused."""
    if len(octets) > MAX_ANSWER_OCTETS:
        raise CertificateRefused(f"an OCSP response of {len(octets)} octets")
    try:
        answer = ocsp.load_der_ocsp_response(octets)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise CertificateRefused(f"the OCSP responder says {answer.response_status.name}")
        single = _about(answer, question)
        _check_nonce(answer, question.nonce)
        _check_signature(answer, question.issuer, at)
        return _verdict(single, question, at)
    except (ValueError, TypeError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise CertificateRefused(f"no OCSP response: {printable(str(error))}") from None


def _about(answer: ocsp.OCSPResponse, question: Question) -> ocsp.OCSPSingleResponse:
    """The part about our certificate (RFC 6960 section 3.2)."""
    asked = ocsp.load_der_ocsp_request(question.write())
    for single in answer.responses:
        if single.serial_number != asked.serial_number:
            continue
        if not isinstance(single.hash_algorithm, SHA1):
            continue
        hashes = single.issuer_name_hash, single.issuer_key_hash
        if hashes == (asked.issuer_name_hash, asked.issuer_key_hash):
            return single
    raise CertificateRefused("the OCSP response is about another certificate")


def _check_nonce(answer: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    if nonce is None:
        return
    try:
        given = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return
    # cryptography gives the octets within the OCTET STRING or, of some responders, with its head.
    if given != nonce:
        raise CertificateRefused("the OCSP response answers another question: its nonce differs")


def _check_signature(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: float) -> None:
    signer = _signer(answer, issuer, at)
    try:
        _verify(signer, answer.signature_hash_algorithm, answer.signature, answer)
    except InvalidSignature:
        raise CertificateRefused(
            f"the signature of the OCSP response is not of {describe(signer)}"
        ) from None


def _signer(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: float) -> x509.Certificate:
    """The issuer, or who may sign for it (RFC 6960 section 4.2.2.2)."""
    if _is_named(answer, issuer):
        return issuer
    for one in answer.certificates:
        if _is_named(answer, one):
            _check_delegate(one, issuer, at)
            return one
    raise CertificateRefused(
        f"the OCSP response is signed neither by {describe(issuer)} nor by one it has certified"
    )


def _is_named(answer: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if answer.responder_name is not None:
        return answer.responder_name == certificate.subject
    digest = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return answer.responder_key_hash == digest


def _check_delegate(one: x509.Certificate, issuer: x509.Certificate, at: float) -> None:
    """It is certified for that by the issuer itself, and valid.

    Deviation: whether the responder's own certificate is revoked is not asked, as if it had
    id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1): who could tell is the responder.
    """
    name = describe(one)
    try:
        one.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateRefused(
            f"the OCSP responder {name} is not certified by {describe(issuer)}"
        ) from None
    usage = extension(one, x509.ExtendedKeyUsage)
    if usage is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
        raise CertificateRefused(f"the OCSP responder {name} is not certified for OCSPSigning")
    since, until = one.not_valid_before_utc, one.not_valid_after_utc
    if not since.timestamp() <= at <= until.timestamp():
        raise CertificateRefused(f"the certificate of the OCSP responder {name} is not valid now")


def _verify(
    signer: x509.Certificate,
    digest: HashAlgorithm | None,
    signature: bytes,
    answer: ocsp.OCSPResponse,
) -> None:
    """By the key's kind; a hash that can be forged is none."""
    key, octets = signer.public_key(), answer.tbs_response_bytes
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, octets)
        return
    if not isinstance(digest, SHA256 | SHA384 | SHA512):
        raise CertificateRefused("the OCSP response is signed with a hash that is not taken")
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, octets, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, octets, ec.ECDSA(digest))
    else:
        raise CertificateRefused(f"the key of {describe(signer)} signs no OCSP response")


def _verdict(single: ocsp.OCSPSingleResponse, question: Question, at: float) -> Verdict:
    name, since = describe(question.certificate), single.this_update_utc
    until = single.next_update_utc
    if since.timestamp() > at + _CLOCK_SKEW:
        raise CertificateRefused(f"the OCSP response is of the future: {_shown(since)}")
    holds_until = since.timestamp() + _FRESH_FOR if until is None else until.timestamp()
    if at > holds_until + _CLOCK_SKEW:
        end = "" if until is None else f" until {_shown(until)}"
        raise CertificateRefused(f"the OCSP response is stale: of {_shown(since)}{end}")
    if single.certificate_status is ocsp.OCSPCertStatus.GOOD:
        good = RevocationFinding(Revocation.GOOD, f"{name} is good by OCSP")
        return Verdict(good, holds_until)
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise CertificateRefused(f"the OCSP responder does not know {name}")
    return Verdict(_revoked(single, name), holds_until)


def _revoked(single: ocsp.OCSPSingleResponse, name: str) -> RevocationFinding:
    at, why = single.revocation_time_utc, single.revocation_reason
    text = f"{name} is revoked"
    if at is not None:
        text += f" since {_shown(at)}"
    if why is not None:
        text += f" ({why.value})"
    return RevocationFinding(Revocation.REVOKED, text)


def _shown(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
