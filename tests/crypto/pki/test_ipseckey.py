"""Keys as DNS has them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.config.certificates import spki_of
from ikeactors.crypto.pki.ipseckey import read_ipseckey
from ikeactors.errors import AuthenticationFailed

RSA = rsa.generate_private_key(65537, 2048).public_key()
P256, P384 = (ec.generate_private_key(one).public_key() for one in (ec.SECP256R1(), ec.SECP384R1()))
ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()
ED448 = ed448.Ed448PrivateKey.generate().public_key()
MODULUS = RSA.public_numbers().n.to_bytes(256, "big")


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    size = (key.key_size + 7) // 8
    numbers = key.public_numbers()
    return numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


KEYS = {
    "RSA": (2, b"\x03\x01\x00\x01" + MODULUS, RSA),
    "RSA, the length in three octets": (2, b"\x00\x00\x03\x01\x00\x01" + MODULUS, RSA),
    "P-256": (3, point(P256), P256),
    "P-384": (3, point(P384), P384),
    "Ed25519": (4, ED25519.public_bytes_raw(), ED25519),
    "Ed448": (4, ED448.public_bytes_raw(), ED448),
}


@pytest.mark.parametrize("what", KEYS)
def test_keys_of_every_kind(what: str) -> None:
    """(RFC 4025 section 2.6)"""
    algorithm, octets, key = KEYS[what]
    assert read_ipseckey(algorithm, octets) == spki_of(key)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("algorithm", "octets", "reason"),
    [
        (1, b"", "algorithm 1 cannot sign"),
        (2, b"\x03\x01\x00", "is malformed"),
        (2, b"\x01\x03" + MODULUS[:64], "an RSA key of"),
        (3, b"\x01" * 64, "is malformed"),
        (3, b"\x01" * 63, "63 octets are of no curve"),
        (4, b"\x01" * 31, "is malformed"),
    ],
)
def test_what_is_no_key(algorithm: int, octets: bytes, reason: str) -> None:
    with pytest.raises(AuthenticationFailed, match=reason):
        read_ipseckey(algorithm, octets)


@given(st.integers(0, 5), st.binary(max_size=300))
def test_any_octets_are_a_key_or_refused(algorithm: int, octets: bytes) -> None:
    try:
        read_ipseckey(algorithm, octets)
    except AuthenticationFailed as fault:
        assert str(fault)
