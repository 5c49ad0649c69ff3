"""Revocation lists that a glance answers for: of one issuer, for all of its certificates.

OpenSSL reads a list anew for each path that it is asked about. What it would say of a plain list is
known from its serial numbers; all other lists are left to it, and to explain is, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from ikeactors.crypto.pki.profile import extension

# Ours: so many serial numbers are some 4 MB; there are longer lists, and few who have one.
MAX_SERIALS = 50_000

_PLAIN = frozenset({ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER})
_PLAIN_OF_ENTRIES = frozenset(
    {CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE}
)


@dataclass(frozen=True, slots=True)
class PlainList:
    """What a list says, and from when to when; in seconds since 1970."""

    since: float
    until: float
    serials: frozenset[int]

    def clears(self, certificate: x509.Certificate, at: float) -> bool:
        """Whether there is no doubt that it is not revoked."""
        if not self.since <= at < self.until or certificate.serial_number in self.serials:
            return False
        points = extension(certificate, x509.CRLDistributionPoints) or ()
        return not any(one.reasons or one.crl_issuer for one in points)


def plain_list_of(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate
) -> PlainList | None:
    """A list as its serial numbers; None where there is more to it than that."""
    if crl.issuer != issuer.subject or crl.next_update_utc is None:
        return None
    if any(one.oid not in _PLAIN for one in crl.extensions):
        return None
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return None
    if len(crl) > MAX_SERIALS or not _is_signed(crl, issuer):
        return None
    serials = _serials(crl)
    if serials is None:
        return None
    return PlainList(crl.last_update_utc.timestamp(), crl.next_update_utc.timestamp(), serials)


def _is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _serials(crl: x509.CertificateRevocationList) -> frozenset[int] | None:
    serials: set[int] = set()
    for entry in crl:
        try:
            if any(one.oid not in _PLAIN_OF_ENTRIES for one in entry.extensions):
                return None
        except (ValueError, x509.DuplicateExtension):
            return None
        serials.add(entry.serial_number)
    return frozenset(serials)
