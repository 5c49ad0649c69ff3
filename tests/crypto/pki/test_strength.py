"""What an operator demands of keys and signatures, asked of the authorities too."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.strength import check_strength
from ikeactors.crypto.signature_constraints import SignatureConstraint
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import NOW, certify

AUTHORITY = [(x509.BasicConstraints(ca=True, path_length=None), True)]
ROOT = certify("CN=root", None, AUTHORITY)
PURE_ROOT = certify("CN=pure root", None, AUTHORITY, ed25519.Ed25519PrivateKey.generate())


def path(key: object = None, root: object = ROOT) -> CertificationPath:
    leaf = certify("CN=leaf", root, key=key)  # type: ignore[arg-type]
    return TrustAnchors([root.certificate]).validate(leaf.certificate, (), NOW)  # type: ignore[attr-defined]


def demanded(text: str) -> SignatureConstraint:
    return SignatureConstraint.from_text(text)


@pytest.mark.parametrize(
    "text",
    [
        *("pubkey", "ecdsa", "ecdsa-256-sha256", "rsa-3072-ecdsa", "ecdsa-sha384-sha256"),
        *("ike:ecdsa-521", "ike:ecdsa-sha512", "ike:rsa-sha512"),
    ],
)
def test_authorities_that_are_strong_enough_are_accepted(text: str) -> None:
    check_strength(path(), demanded(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ecdsa-384", r"authority CN=root: its key \(ecdsa-256\) is weaker than ecdsa-384"),
        ("ecdsa-sha384", "CN=leaf: it is signed by ecdsa-sha256, which ecdsa-sha384 does not"),
        ("rsa-sha256", "CN=leaf: it is signed by ecdsa-sha256"),
    ],
)
def test_an_authority_that_is_weaker_than_demanded_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CertificateRefused, match=reason):
        check_strength(path(ec.generate_private_key(ec.SECP384R1())), demanded(text))


def test_a_signature_without_a_hash_of_its_own_is_held_to_its_kind() -> None:
    check_strength(path(root=PURE_ROOT), demanded("ecdsa-ed25519-sha512"))
    with pytest.raises(CertificateRefused, match="signed by ed25519"):
        check_strength(path(root=PURE_ROOT), demanded("ecdsa-sha512"))


def test_a_padding_is_demanded_of_certificates_too() -> None:
    root = certify("CN=root", None, AUTHORITY, key=rsa.generate_private_key(65537, 2048))
    check_strength(path(root=root), demanded("rsa/pkcs1-ecdsa-sha256"))
    with pytest.raises(CertificateRefused, match="signed by rsa-sha256"):
        check_strength(path(root=root), demanded("rsa/pss-ecdsa-sha256"))
    with pytest.raises(CertificateRefused, match=r"rsa-2048.* is weaker"):
        check_strength(path(root=root), demanded("rsa-3072-ecdsa"))
