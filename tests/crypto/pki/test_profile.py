"""What IKE asks of a certificate."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from ikeactors.crypto.pki.profile import ExtendedKeyUsage, check_extended_usage, check_key_usage
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import Extensions, authority, certify

ROOT = authority("CN=root")
REQUIRE, IF_PRESENT, IGNORE = ExtendedKeyUsage


def extended(*usages: x509.ObjectIdentifier) -> Extensions:
    return [(x509.ExtendedKeyUsage(usages), False)]


@pytest.mark.parametrize(
    ("extensions", "accepted"),
    [
        ([], {IF_PRESENT, IGNORE}),
        (extended(Usage.IPSEC_IKE), {REQUIRE, IF_PRESENT, IGNORE}),
        (extended(Usage.SERVER_AUTH, Usage.IPSEC_IKE), {REQUIRE, IF_PRESENT, IGNORE}),
        (extended(Usage.ANY_EXTENDED_KEY_USAGE), {IF_PRESENT, IGNORE}),
        (extended(Usage.SERVER_AUTH, Usage.CLIENT_AUTH), {IGNORE}),
    ],
)
def test_extended_key_usage_has_to_allow_ike(
    extensions: Extensions, accepted: set[ExtendedKeyUsage]
) -> None:
    """(RFC 4945 section 5.1.3.12)"""
    certificate = certify("CN=sun", ROOT, extensions).certificate
    for usage in ExtendedKeyUsage:
        if usage in accepted:
            check_profile(certificate, usage)
            continue
        with pytest.raises(CertificateRefused, match=r"CN=sun: .*ipsecIKE.*(asked|required)"):
            check_profile(certificate, usage)


def check_profile(certificate: x509.Certificate, usage: ExtendedKeyUsage) -> None:
    check_key_usage(certificate)
    check_extended_usage(certificate, usage)


def test_the_refusal_says_what_the_certificate_is_for() -> None:
    certificate = certify("CN=sun", ROOT, extended(Usage.SERVER_AUTH)).certificate
    with pytest.raises(
        CertificateRefused, match=r"extended key usage has serverAuth only; .*ipsecIKE is asked for"
    ):
        check_profile(certificate, IF_PRESENT)


def key_usage(*, digital_signature: bool, content_commitment: bool) -> Extensions:
    usage = x509.KeyUsage(
        digital_signature, content_commitment, True, False, False, False, False, False, False
    )
    return [(usage, True)]


@pytest.mark.parametrize(
    ("digital_signature", "content_commitment"),
    [(True, False), (False, True), (True, True), (False, False)],
)
def test_key_usage_has_to_allow_signatures(
    digital_signature: bool, content_commitment: bool
) -> None:
    """(RFC 4945 section 5.1.3.2)"""
    usage = key_usage(digital_signature=digital_signature, content_commitment=content_commitment)
    certificate = certify("CN=sun", ROOT, usage).certificate
    if digital_signature or content_commitment:
        check_profile(certificate, IF_PRESENT)
        return
    with pytest.raises(CertificateRefused, match="neither digitalSignature nor nonRepudiation"):
        check_profile(certificate, IF_PRESENT)
