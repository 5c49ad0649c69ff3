"""What IKE asks of a certificate that signs, beyond a valid path (RFC 4945 section 5.1)."""

from __future__ import annotations

import enum
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikeactors.crypto.pki.certificates import describe
from ikeactors.errors import CertificateRefused

T = TypeVar("T", bound=x509.ExtensionType)


class ExtendedKeyUsage(enum.Enum):
    """What the extension has to say for IKE (RFC 4945 section 5.1.3.12).

    IF_PRESENT is the RFC's rule: without the extension the certificate is for everything, with it
    the extension names ipsecIKE or any purpose. REQUIRE wants ipsecIKE itself.
    """

    REQUIRE = "require"
    IF_PRESENT = "if-present"
    IGNORE = "ignore"


def check_profile(certificate: x509.Certificate, usage: ExtendedKeyUsage) -> None:
    """Refuse a certificate that is not for signing in IKE. Raises CertificateRefused."""
    _check_key_usage(certificate)
    _check_extended(certificate, usage)


def extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    """The value of an extension; None where there is none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _check_key_usage(certificate: x509.Certificate) -> None:
    """Either of the two bits will do (RFC 4945 section 5.1.3.2)."""
    usage = extension(certificate, x509.KeyUsage)
    if usage is None or usage.digital_signature or usage.content_commitment:
        return
    raise CertificateRefused(
        f"{describe(certificate)}: its key usage has neither digitalSignature nor nonRepudiation"
    )


def _check_extended(certificate: x509.Certificate, usage: ExtendedKeyUsage) -> None:
    if usage is ExtendedKeyUsage.IGNORE:
        return
    found = extension(certificate, x509.ExtendedKeyUsage)
    if found is None:
        if usage is ExtendedKeyUsage.REQUIRE:
            raise CertificateRefused(
                f"{describe(certificate)}: it has no extended key usage; ipsecIKE is required"
            )
        return
    accepted = _ACCEPTED[usage]
    if accepted.isdisjoint(found):
        wanted = " or ".join(sorted(_WORDS[oid] for oid in accepted))
        has = ", ".join(_WORDS.get(oid, oid.dotted_string) for oid in found)
        raise CertificateRefused(
            f"{describe(certificate)}: its extended key usage has {has} only; {wanted} is asked for"
        )


_ACCEPTED = {
    ExtendedKeyUsage.REQUIRE: frozenset({ExtendedKeyUsageOID.IPSEC_IKE}),
    ExtendedKeyUsage.IF_PRESENT: frozenset(
        {ExtendedKeyUsageOID.IPSEC_IKE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    ),
}

_WORDS = {
    ExtendedKeyUsageOID.IPSEC_IKE: "ipsecIKE",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
}
