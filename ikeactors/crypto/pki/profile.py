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


def extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    """The value of an extension; None where there is none."""
    for one in certificate.extensions:
        if one.oid == kind.oid and isinstance(one.value, kind):
            return one.value
    return None


def check_key_usage(certificate: x509.Certificate) -> None:
    """Either of the two bits will do (RFC 4945 section 5.1.3.2). Raises CertificateRefused."""
    usage = extension(certificate, x509.KeyUsage)
    if usage is None or usage.digital_signature or usage.content_commitment:
        return
    raise CertificateRefused(
        f"{describe(certificate)}: its key usage has neither digitalSignature nor nonRepudiation"
    )


def check_extended_usage(certificate: x509.Certificate, usage: ExtendedKeyUsage) -> None:
    """Refuse a certificate that is for something else than IKE. Raises CertificateRefused."""
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
        raise CertificateRefused(
            f"{describe(certificate)}: its extended key usage has {extended_usages(certificate)} "
            f"only; {accepted_usages(usage)} is asked for"
        )


def key_usages(certificate: x509.Certificate) -> str:
    """The bits of the extension, as a sentence lists them; empty without the extension."""
    usage = extension(certificate, x509.KeyUsage)
    if usage is None:
        return ""
    return ", ".join(word for name, word in _BITS.items() if getattr(usage, name)) or "nothing"


def extended_usages(certificate: x509.Certificate) -> str:
    """The purposes in the extension, as a sentence lists them; empty without the extension."""
    found = extension(certificate, x509.ExtendedKeyUsage)
    if found is None:
        return ""
    return ", ".join(_WORDS.get(oid, oid.dotted_string) for oid in found)


def accepted_usages(usage: ExtendedKeyUsage) -> str:
    """What is asked of the extension."""
    return " or ".join(sorted(_WORDS[oid] for oid in _ACCEPTED[usage]))


_ACCEPTED = {
    ExtendedKeyUsage.REQUIRE: frozenset({ExtendedKeyUsageOID.IPSEC_IKE}),
    ExtendedKeyUsage.IF_PRESENT: frozenset(
        {ExtendedKeyUsageOID.IPSEC_IKE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    ),
    ExtendedKeyUsage.IGNORE: frozenset(),
}

_BITS = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
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
