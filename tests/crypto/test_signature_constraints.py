"""What operators demand of keys and signatures."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ikeactors.crypto.signature_constraints import SignatureConstraint
from ikeactors.crypto.signature_schemes import SCHEMES
from ikeactors.iana import SignatureHash

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def permitted(text: str) -> set[str]:
    constraint = SignatureConstraint.from_text(text)
    return {str(scheme) for scheme in SCHEMES if constraint.permits(scheme)}


def test_pubkey_permits_everything_but_sha1() -> None:
    assert permitted("pubkey") == {
        str(one) for one in SCHEMES if one.hash is not SignatureHash.SHA1
    }


@pytest.mark.parametrize(
    ("text", "schemes"),
    [
        ("rsa-sha256", {"rsa-sha256", "rsa/pss-sha256"}),
        ("rsa/pss-sha256-sha384", {"rsa/pss-sha256", "rsa/pss-sha384"}),
        ("rsa/pkcs1-sha256", {"rsa-sha256"}),
        ("rsa-3072-sha1", {"rsa-sha1"}),
        ("ike:ecdsa-256-sha256", {"ecdsa-sha256"}),
        ("ed25519-mldsa65", {"ed25519", "mldsa65"}),
        (
            "pubkey-sha512",
            {"rsa-sha512", "rsa/pss-sha512", "ecdsa-sha512"}
            | {"ed25519", "ed448", "mldsa44", "mldsa65", "mldsa87"},
        ),
    ],
)
def test_words_narrow_what_is_permitted(text: str, schemes: set[str]) -> None:
    assert permitted(text) == schemes


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("pubkey", [RSA, P256, ED25519]),
        ("rsa", [RSA]),
        ("rsa-3072", []),
        ("rsa-2048-ecdsa-256", [RSA, P256]),
        ("ecdsa-384-ed25519", [ED25519]),
    ],
)
def test_a_key_has_to_be_of_a_kind_and_strong_enough(text: str, keys: list[object]) -> None:
    constraint = SignatureConstraint.from_text(text)
    assert [one for one in (RSA, P256, ED25519) if constraint.permits_key(one)] == keys
    assert [one for one in (RSA, P256, ED25519) if constraint.permits_key(one.public_key())] == keys


@pytest.mark.parametrize(
    "text",
    [
        *("pubkey", "rsa-3072-sha256", "rsa/pss-ecdsa-384-sha384", "rsa/pkcs1-2048", "ed448"),
        "ike:ecdsa-sha384",
    ],
)
def test_text_is_written_as_it_is_read(text: str) -> None:
    assert str(SignatureConstraint.from_text(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "none of pubkey"),
        ("dsa", "none of pubkey, rsa"),
        ("3072", "stands behind rsa or ecdsa"),
        ("ed25519-255", "stands behind rsa or ecdsa"),
        ("rsa-sha3", "'sha3' is none of"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SignatureConstraint.from_text(text)


def test_the_hashes_that_are_permitted_are_announced() -> None:
    """(RFC 7427 section 4)"""
    announced = SignatureConstraint.from_text("pubkey").announced()
    assert SignatureHash.SHA1 not in announced
    assert SignatureHash.IDENTITY in announced
    assert SignatureConstraint.from_text("rsa-sha384").announced() == (
        SignatureHash.SHA2_384,
        SignatureHash.IDENTITY,
    )
