"""Signatures: the identifiers of RFC 7427, every scheme both ways, and what is refused."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto import signatures
from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SCHEMES, KeyKind, SignatureScheme
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, SignatureHash

OCTETS = b"what IKE_AUTH signs"
ALL_HASHES = frozenset(SignatureHash)
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
KEYS = {
    "rsa": RSA,
    "p256": P256,
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "brainpool256": ec.generate_private_key(ec.BrainpoolP256R1()),
    "brainpool512": ec.generate_private_key(ec.BrainpoolP512R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "mldsa44": mldsa.MLDSA44PrivateKey.generate(),
    "mldsa65": mldsa.MLDSA65PrivateKey.generate(),
    "mldsa87": mldsa.MLDSA87PrivateKey.generate(),
}


def anything(scheme: SignatureScheme) -> bool:
    return True


def modern(scheme: SignatureScheme) -> bool:
    return scheme.hash is not SignatureHash.SHA1


def scheme_named(name: str) -> SignatureScheme:
    return next(scheme for scheme in SCHEMES if str(scheme) == name)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("rsa-sha1", "300d06092a864886f70d0101050500"),
        ("rsa-sha256", "300d06092a864886f70d01010b0500"),
        ("rsa-sha384", "300d06092a864886f70d01010c0500"),
        ("rsa-sha512", "300d06092a864886f70d01010d0500"),
        ("ecdsa-sha1", "300906072a8648ce3d0401"),
        ("ecdsa-sha256", "300a06082a8648ce3d040302"),
        ("ecdsa-sha384", "300a06082a8648ce3d040303"),
        ("ecdsa-sha512", "300a06082a8648ce3d040304"),
        (
            "rsa/pss-sha256",
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886"
            "f70d010108300d06096086480165030402010500a203020120",
        ),
        ("ed25519", "300506032b6570"),
        ("ed448", "300506032b6571"),
        ("mldsa65", "300b0609608648016503040312"),
    ],
)
def test_an_identifier_is_the_published_one(name: str, identifier: str) -> None:
    """(RFC 7427 Appendix A), (RFC 8420 Appendix A)"""
    assert scheme_named(name).identifier.hex() == identifier


def test_no_two_schemes_share_an_identifier() -> None:
    assert len(BY_IDENTIFIER) == sum(len(scheme.accepted) for scheme in SCHEMES)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_scheme_of_a_key_verifies_what_it_signs(key: signatures.PrivateKey) -> None:
    """(RFC 7427 section 3)"""
    of_its_kind = [one for one in SCHEMES if one.kind is signatures.kind_of(key)]
    assert of_its_kind
    for scheme in of_its_kind:
        data = signatures.sign(key, scheme, OCTETS)
        public = signatures.check_key(key.public_key())
        method = AuthMethod.DIGITAL_SIGNATURE
        assert signatures.verify(public, method, data, OCTETS, anything) is scheme
        with pytest.raises(AuthenticationFailed, match="wrong"):
            signatures.verify(public, method, data, OCTETS + b"!", anything)


@pytest.mark.parametrize("name", ["rsa", "p256", "p384", "p521"])
def test_the_older_methods_verify_what_they_sign(name: str) -> None:
    """(RFC 4754 section 3)"""
    key = KEYS[name]
    method = signatures.classic_method(key)
    assert method is not None
    scheme = signatures.classic_scheme(method, modern)
    data = signatures.sign(key, scheme, OCTETS, method)
    public = signatures.check_key(key.public_key())
    assert str(signatures.verify(public, method, data, OCTETS, modern)).endswith(
        {"rsa": "sha256", "p256": "sha256", "p384": "sha384", "p521": "sha512"}[name]
    )
    with pytest.raises(AuthenticationFailed, match="wrong"):
        signatures.verify(public, method, data, OCTETS + b"!", modern)


def test_a_key_of_another_kind_has_no_older_method() -> None:
    assert signatures.classic_method(KEYS["ed25519"]) is None
    assert signatures.classic_method(KEYS["brainpool256"]) is None


@pytest.mark.parametrize(
    ("key", "announced", "scheme"),
    [
        ("rsa", ALL_HASHES, "rsa/pss-sha256"),
        ("rsa", {SignatureHash.SHA2_512}, "rsa/pss-sha512"),
        ("p384", ALL_HASHES, "ecdsa-sha384"),
        ("p521", ALL_HASHES, "ecdsa-sha512"),
        ("p521", {SignatureHash.SHA2_256}, "ecdsa-sha256"),
        ("ed25519", ALL_HASHES, "ed25519"),
        ("mldsa87", {SignatureHash.IDENTITY}, "mldsa87"),
        ("ed448", {SignatureHash.SHA2_256}, "None"),
        ("rsa", {SignatureHash.SHA1}, "None"),
    ],
)
def test_the_hash_is_one_the_peer_has_announced(
    key: str, announced: set[SignatureHash], scheme: str
) -> None:
    """(RFC 7427 section 4)"""
    assert str(signatures.choose_scheme(KEYS[key], frozenset(announced), modern)) == scheme


def test_rsa_without_pss_is_chosen_where_only_that_is_permitted() -> None:
    chosen = signatures.choose_scheme(
        RSA, ALL_HASHES, lambda scheme: modern(scheme) and not scheme.pss
    )
    assert str(chosen) == "rsa-sha256"


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def numbers(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize(
    "data",
    [
        numbers(0, 1),
        numbers(1, 0),
        numbers(0, 0),
        numbers(P256_ORDER, 1),
        numbers(1, P256_ORDER),
        numbers(P256_ORDER + 1, P256_ORDER + 1),
        b"",
        bytes(63),
        bytes(65),
        bytes(64),
        b"\xff" * 64,
        signatures.sign(P256, scheme_named("ecdsa-sha256"), OCTETS)[11:],
    ],
)
def test_a_degenerate_ecdsa_signature_is_refused(data: bytes) -> None:
    """Case E8."""
    with pytest.raises(AuthenticationFailed):
        signatures.verify(P256.public_key(), AuthMethod.ECDSA_256, data, OCTETS, anything)


RIGHT = signatures.sign(RSA, scheme_named("rsa-sha256"), OCTETS)


def rsa_raw(block: bytes) -> bytes:
    """The signature whose padded block is `block`."""
    numbers = RSA.private_numbers()
    value = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(256, "big")


DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST = hashlib.sha256(OCTETS).digest()
WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201") + bytes.fromhex("0420")


def padded(tail: bytes, filler: int = 0xFF) -> bytes:
    return b"\0\1" + bytes((filler,)) * (256 - 3 - len(tail)) + b"\0" + tail


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO + DIGEST + bytes(194), id="garbage"
        ),
        pytest.param(padded(DIGEST_INFO + DIGEST, filler=0), id="zero padding"),
        pytest.param(padded(WITHOUT_NULL + DIGEST), id="without NULL"),
        pytest.param(padded(DIGEST), id="no DigestInfo"),
        pytest.param(padded(DIGEST_INFO + DIGEST + b"\0"), id="trailing octet"),
        pytest.param(b"\0\2" + padded(DIGEST_INFO + DIGEST)[2:], id="block type 2"),
    ],
)
def test_lenient_rsa_padding_is_refused(block: bytes) -> None:
    """Case E9."""
    identifier = scheme_named("rsa-sha256").identifier
    data = bytes((len(identifier),)) + identifier + rsa_raw(block)
    for method, octets in (
        (AuthMethod.DIGITAL_SIGNATURE, data),
        (AuthMethod.RSA_SIGNATURE, data[16:]),
    ):
        with pytest.raises(AuthenticationFailed):
            signatures.verify(RSA.public_key(), method, octets, OCTETS, anything)


def test_the_same_block_well_padded_is_right() -> None:
    """What the cases above differ from."""
    assert rsa_raw(padded(DIGEST_INFO + DIGEST)) == RIGHT[16:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "do not know: none"),
        (b"\0" + RIGHT[1:], "do not know: none"),
        (b"\xff" + RIGHT[1:], "do not know: 300d"),
        (RIGHT[:10], "do not know"),
        (bytes((15,)) + b"\x30\x80" + RIGHT[3:], "do not know"),
    ],
)
def test_an_identifier_that_is_none_of_ours_is_refused(data: bytes, reason: str) -> None:
    """Case E10."""
    with pytest.raises(AuthenticationFailed, match=reason):
        signatures.verify(RSA.public_key(), AuthMethod.DIGITAL_SIGNATURE, data, OCTETS, anything)


def test_a_hash_that_is_not_permitted_is_refused() -> None:
    """Case E10: SHA-1 when not allowed."""
    data = signatures.sign(RSA, scheme_named("rsa-sha1"), OCTETS)
    with pytest.raises(
        AuthenticationFailed, match="rsa-sha1, which the connection does not permit"
    ):
        signatures.verify(RSA.public_key(), AuthMethod.DIGITAL_SIGNATURE, data, OCTETS, modern)
    with pytest.raises(AuthenticationFailed, match="rsa-sha1, which the connection does not"):
        signatures.verify(RSA.public_key(), AuthMethod.RSA_SIGNATURE, data[16:], OCTETS, modern)


def test_a_scheme_of_another_kind_of_key_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="rsa-sha256, but the key is ecdsa"):
        signatures.verify(P256.public_key(), AuthMethod.DIGITAL_SIGNATURE, RIGHT, OCTETS, anything)


@pytest.mark.parametrize("method", [AuthMethod.ECDSA_384, AuthMethod.SHARED_KEY, AuthMethod.NULL])
def test_a_method_that_does_not_fit_the_key_is_refused(method: AuthMethod) -> None:
    """Case E6."""
    with pytest.raises(AuthenticationFailed):
        signatures.verify(P256.public_key(), method, bytes(96), OCTETS, anything)


def weak_rsa(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (weak_rsa(RSA.public_key().public_numbers().n, 2**65 + 1), "exponent"),
        (dsa.generate_private_key(1024).public_key(), "cannot sign"),
        (object(), "cannot sign"),
    ],
)
def test_a_key_nobody_should_use_is_refused(key: object, reason: str) -> None:
    """Case E15."""
    with pytest.raises(AuthenticationFailed, match=reason):
        signatures.check_key(key)


@given(st.binary(max_size=300), st.sampled_from(list(AuthMethod)), st.sampled_from(sorted(KEYS)))
def test_any_octets_are_refused_and_nothing_else_is_raised(
    data: bytes, method: AuthMethod, name: str
) -> None:
    """Case E0."""
    public = signatures.check_key(KEYS[name].public_key())
    with pytest.raises(AuthenticationFailed):
        signatures.verify(public, method, data, OCTETS, anything)


def test_kinds_tell_strength_only_where_keys_differ() -> None:
    assert signatures.strength_of(RSA) == 2048
    assert signatures.strength_of(KEYS["p521"].public_key()) == 521
    assert signatures.strength_of(KEYS["ed25519"]) == 0
    assert signatures.kind_of(KEYS["mldsa44"]) is KeyKind.MLDSA44
