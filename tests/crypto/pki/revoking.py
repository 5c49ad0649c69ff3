"""Lists and OCSP answers made on the spot, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.crypto.pki.making import NOW, Extensions, Holder

AT = datetime.fromtimestamp(NOW, UTC)
HOUR = timedelta(hours=1)
REVOKED_AT = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


def crl_of(
    issuer: Holder,
    *revoked: Holder,
    number: int = 1,
    since: datetime = AT - HOUR,
    until: datetime = AT + HOUR,
    extensions: Extensions = (),
    key: Holder | None = None,
) -> x509.CertificateRevocationList:
    """The issuer's list of these certificates, signed by its key or by another's."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(since)
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    for one in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(one.certificate.serial_number)
            .revocation_date(REVOKED_AT)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign((key or issuer).key, hashes.SHA256())  # type: ignore[arg-type]


def der_of(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)


def points(*urls: str, kind: type = x509.CRLDistributionPoints) -> Extensions:
    """Says where lists are."""
    names = [x509.UniformResourceIdentifier(url) for url in urls]
    return [(kind([x509.DistributionPoint(names, None, None, None)]), False)]


def responders(*urls: str) -> Extensions:
    """Says whom to ask by OCSP."""
    places = [
        x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url)
        )
        for url in urls
    ]
    return [(x509.AuthorityInformationAccess(places), False)]


def answer_of(
    request: bytes,
    certificate: Holder,
    issuer: Holder,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    *,
    signer: Holder | None = None,
    since: datetime = AT - HOUR,
    until: datetime | None = AT + HOUR,
    nonce: bytes | None = b"",
    by_hash: bool = False,
    sent: Sequence[Holder] = (),
) -> bytes:
    """A responder's answer; its nonce is the request's unless another one, or None, is given."""
    signer = signer or issuer
    is_revoked = status is ocsp.OCSPCertStatus.REVOKED
    encoding = ocsp.OCSPResponderEncoding.HASH if by_hash else ocsp.OCSPResponderEncoding.NAME
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            certificate.certificate,
            issuer.certificate,
            hashes.SHA1(),
            status,
            since,
            until,
            REVOKED_AT if is_revoked else None,
            x509.ReasonFlags.key_compromise if is_revoked else None,
        )
        .responder_id(encoding, signer.certificate)
    )
    if nonce is not None:
        asked = ocsp.load_der_ocsp_request(request).extensions
        own = asked.get_extension_for_class(x509.OCSPNonce).value.nonce
        builder = builder.add_extension(x509.OCSPNonce(nonce or own), critical=False)
    if sent:
        builder = builder.certificates([one.certificate for one in sent])
    response = builder.sign(signer.key, hashes.SHA256())  # type: ignore[arg-type]
    return response.public_bytes(Encoding.DER)
