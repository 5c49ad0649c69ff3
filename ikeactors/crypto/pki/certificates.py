"""X.509 certificates and revocation lists: octets to objects, and how a sentence speaks of one."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ikeactors.crypto.signatures import PublicKey, check_key
from ikeactors.errors import AuthenticationFailed, CertificateRefused

# Ours: the largest certificates in use (ML-DSA-87, subject and issuer) have some 8,000 octets.
MAX_CERTIFICATE_OCTETS = 32 * 1024

# Ours: a list of a million revocations has some 40 MB.
MAX_CRL_OCTETS = 64 * 1024 * 1024

# Ours: a name in a sentence is cut there, whoever wrote it.
_MAX_NAME_LENGTH = 120

# Ours: seconds in which a certificate can be renewed by hand; what renews itself is sooner.
EXPIRES_SOON = 14 * 86400.0

# Ours: so many of the largest are 16 MB.
_PARSED = 256

_SHA256 = SHA256()

# What `cryptography` has to say of octets that are no certificate, or none it understands.
_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@lru_cache(_PARSED)
def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate from DER. Raises CertificateRefused.

    Those read last are kept: peers come again, and those of one authority send its certificate.
    """
    if len(der) > MAX_CERTIFICATE_OCTETS:
        raise CertificateRefused(
            f"a certificate of {len(der)} octets, at most {MAX_CERTIFICATE_OCTETS} are read"
        )
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are parsed on first use, and refuse what the first look let through.
        _ = certificate.extensions, certificate.subject, certificate.issuer
        _ = certificate.serial_number
    except _UNREADABLE as error:
        raise CertificateRefused(f"a certificate cannot be read: {_one_line(error)}") from None
    return certificate


def read_crl(octets: bytes) -> x509.CertificateRevocationList:
    """A list from DER or PEM. Raises CertificateRefused."""
    if len(octets) > MAX_CRL_OCTETS:
        raise CertificateRefused(
            f"a CRL of {len(octets)} octets, at most {MAX_CRL_OCTETS} are read"
        )
    is_pem = octets.lstrip()[:11] == b"-----BEGIN "
    read = x509.load_pem_x509_crl if is_pem else x509.load_der_x509_crl
    try:
        crl = read(octets)
        # These are parsed on first use.
        _ = crl.extensions, crl.issuer, crl.next_update_utc
    except _UNREADABLE as error:
        raise CertificateRefused(f"a CRL cannot be read: {printable(str(error))}") from None
    return crl


def public_key_of(certificate: x509.Certificate) -> PublicKey:
    """Its public key, of a kind that can sign in IKE. Raises CertificateRefused."""
    try:
        return check_key(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm, AuthenticationFailed) as error:
        raise CertificateRefused(f"{describe(certificate)}: {_one_line(error)}") from None


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    """SHA-256 of its octets: what caches know it by."""
    return certificate.fingerprint(_SHA256)


@lru_cache(_PARSED)
def key_hash_of(certificate: x509.Certificate) -> bytes:
    """SHA-1 of the SubjectPublicKeyInfo, by which CERTREQ names it (RFC 7296 section 3.7)."""
    octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha1(octets, usedforsecurity=False).digest()


@lru_cache(_PARSED)
def der_of(certificate: x509.Certificate) -> bytes:
    """Its octets, which are written anew each time."""
    return certificate.public_bytes(Encoding.DER)


@lru_cache(_PARSED)
def describe(certificate: x509.Certificate) -> str:
    """What a sentence calls it: its common name, or its whole subject."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = f"CN={common[-1].value!s}" if common else certificate.subject.rfc4514_string()
    return printable(name) or f"serial number {certificate.serial_number:x}"


def printable(text: str) -> str:
    """Text of a stranger's, fit for a line of a log."""
    visible = "".join(one if one.isprintable() else "?" for one in text[: _MAX_NAME_LENGTH + 1])
    return visible if len(visible) <= _MAX_NAME_LENGTH else f"{visible[:_MAX_NAME_LENGTH]}..."


def _one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split()))
