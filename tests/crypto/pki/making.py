"""Certificates made on the spot, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ikeactors.crypto.signatures import PrivateKey

# The time at which these certificates are looked at, and the span in which they are valid.
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_TO = datetime(2027, 1, 1, tzinfo=UTC)

Extensions = Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey


def name(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text)


def authority(subject: str, issuer: Holder | None = None, extensions: Extensions = ()) -> Holder:
    """A certificate that may sign others."""
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return certify(subject, issuer, [(constraints, True), *extensions])


def certify(
    subject: str,
    issuer: Holder | None,
    extensions: Extensions = (),
    key: PrivateKey | None = None,
    *,
    not_before: datetime = _FROM,
    not_after: datetime = _TO,
) -> Holder:
    """A certificate for a key; signed by itself where there is no issuer."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer.certificate.subject if issuer else name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    signing = issuer.key if issuer else key
    is_pure = not isinstance(signing, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Holder(builder.sign(signing, None if is_pure else hashes.SHA256()), key)
