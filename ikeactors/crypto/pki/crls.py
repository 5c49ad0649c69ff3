"""Certificate revocation lists: what one says of a certificate (RFC 5280 sections 5 and 6.3).

OpenSSL checks the list: its signature, its dates, its scope against the certificate's distribution
points, deltas, critical extensions. Indirect lists are not used.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

from ikeactors.crypto.pki.certificates import describe, printable
from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding

# X509_V_FLAG_EXTENDED_CRL_SUPPORT (lists signed by another key of the issuer, lists of some
# reasons) and X509_V_FLAG_USE_DELTAS, which pyOpenSSL does not name.
_EXTENDED = 0x1000
_USE_DELTAS = 0x2000
_FLAGS = X509StoreFlags.CRL_CHECK | X509StoreFlags.CRL_CHECK_ALL | _EXTENDED | _USE_DELTAS

# Error codes of OpenSSL's verifier (x509_vfy.h).
_NO_LIST = (3, 33, 44)
_REVOKED = 23


def is_indirect(crl: x509.CertificateRevocationList) -> bool:
    """Whether it lists certificates of other issuers, which we do not believe."""
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    except x509.ExtensionNotFound:
        return False
    return scope.value.indirect_crl


def cleared(certificate: x509.Certificate, *, is_named: bool = False) -> RevocationFinding:
    """There is a list, and the certificate is not on it."""
    text = f"{describe(certificate)} is on no CRL"
    return RevocationFinding(Revocation.GOOD, text, is_named)


def statuses_by_crl(
    anchors: TrustAnchors,
    path: CertificationPath,
    crls: Sequence[x509.CertificateRevocationList],
    at: float,
    issuers: Sequence[x509.Certificate] = (),
) -> tuple[RevocationFinding, ...]:
    """What the lists say of each certificate of a path but the anchor, the end entity first.

    `at` is in seconds since 1970; `issuers` may hold certificates that sign lists only.
    """
    store = anchors.store(at, _FLAGS)
    for crl in crls:
        if not is_indirect(crl):
            store.add_crl(crl)
    findings: list[RevocationFinding] = []
    certificates = path.certificates[:-1]
    while len(findings) < len(certificates):
        above = [*certificates[len(findings) + 1 :], *issuers]
        depth, finding = _first_fault(store, certificates[len(findings)], above, crls)
        good = certificates[len(findings) :][:depth]
        findings += map(cleared, good)
        if finding is not None:
            findings.append(finding)
    # What is behind the last may be about the anchor, which nobody can revoke for us.
    return tuple(findings[: len(certificates)])


def _first_fault(
    store: X509Store,
    certificate: x509.Certificate,
    above: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
) -> tuple[int | None, RevocationFinding | None]:
    """How far up from a certificate all is good, and what is there."""
    chain = [X509.from_cryptography(one) for one in above]
    context = X509StoreContext(store, X509.from_cryptography(certificate), chain)
    try:
        context.verify_certificate()
    except X509StoreContextError as error:
        return error.errors[1], _explain(error, error.certificate.to_cryptography(), crls)
    return None, None


def _explain(
    error: X509StoreContextError,
    certificate: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
) -> RevocationFinding:
    name, code = describe(certificate), error.errors[0]
    if code == _REVOKED:
        return RevocationFinding(
            Revocation.REVOKED, f"{name} is revoked{_details(certificate, crls)}"
        )
    if code in _NO_LIST:
        issuer = printable(certificate.issuer.rfc4514_string())
        return RevocationFinding(Revocation.UNKNOWN, f"{name}: there is no CRL of {issuer} for it")
    return RevocationFinding(Revocation.UNKNOWN, f"{name}: its CRL is no use: {error}")


def _details(certificate: x509.Certificate, crls: Sequence[x509.CertificateRevocationList]) -> str:
    """Since when and why, for a list of its issuer's."""
    if certificate.serial_number <= 0:
        return ""
    for crl in crls:
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and crl.issuer == certificate.issuer:
            return f" since {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC{_reason(entry)}"
    return ""


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return f" ({reason.value})"
