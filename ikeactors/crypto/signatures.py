"""Digital signatures over the octets of IKE_AUTH (RFC 7427), and the methods before it.

Signing with ECDSA is deterministic; RSASSA-PSS and ML-DSA draw their own randomness, so their
signatures differ from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeGuard

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SCHEMES, KeyKind, SignatureScheme
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, SignatureHash

PublicKey = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)
PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
Permits = Callable[[SignatureScheme], bool]

# Ours: below it RSA can be broken, above it a stranger's key costs us milliseconds for each
# signature (64 times the work of 2048 bits).
MIN_RSA_BITS = 1024
MAX_RSA_BITS = 16384
_MAX_RSA_EXPONENT_BITS = 64

_HASHES: dict[SignatureHash, hashes.HashAlgorithm] = {
    SignatureHash.SHA1: hashes.SHA1(),
    SignatureHash.SHA2_256: hashes.SHA256(),
    SignatureHash.SHA2_384: hashes.SHA384(),
    SignatureHash.SHA2_512: hashes.SHA512(),
}

# The older methods, each bound to a curve and a hash (RFC 4754 section 7).
_CURVE_METHODS = {
    AuthMethod.ECDSA_256: ("secp256r1", SignatureHash.SHA2_256),
    AuthMethod.ECDSA_384: ("secp384r1", SignatureHash.SHA2_384),
    AuthMethod.ECDSA_521: ("secp521r1", SignatureHash.SHA2_512),
}


def kind_of(key: PublicKey | PrivateKey) -> KeyKind:
    """The kind of a key."""
    return _kind_of_type(type(key))


@cache
def _kind_of_type(of_key: type) -> KeyKind:
    """Abstract classes are slow to ask: once for each of the few that there are."""
    return next(kind for types, kind in _KINDS if issubclass(of_key, types))


@cache
def _is_public(of_key: Any) -> bool:
    return issubclass(of_key, PublicKey)


def _can_verify(key: object) -> TypeGuard[PublicKey]:
    kind: Any = type(key)
    return _is_public(kind)


def strength_of(key: PublicKey | PrivateKey) -> int:
    """The bits of an RSA modulus or of a curve; 0 where the kind says it all."""
    if kind_of(key) in _SIZED:
        sized: Any = key
        return int(sized.key_size)
    return 0


def check_key(key: object) -> PublicKey:
    """A public key we can verify with. Raises AuthenticationFailed for any other."""
    if not _can_verify(key):
        raise AuthenticationFailed(f"keys of the kind {type(key).__name__} cannot sign in IKE")
    if kind_of(key) is KeyKind.RSA:
        known: Any = key
        exponent, bits = known.public_numbers().e, known.key_size
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            raise AuthenticationFailed(
                f"an RSA key of {bits} bits, {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted"
            )
        if exponent < 3 or not exponent & 1 or exponent.bit_length() > _MAX_RSA_EXPONENT_BITS:
            raise AuthenticationFailed("the RSA key's public exponent is not acceptable")
    return key


def choose_scheme(
    key: PublicKey | PrivateKey, announced: frozenset[SignatureHash], permits: Permits
) -> SignatureScheme | None:
    """The best scheme of this key whose hash the peer has announced (RFC 7427 section 4)."""
    kind, wanted = kind_of(key), _fitting_hash(key)
    usable = [
        scheme
        for scheme in SCHEMES
        if scheme.kind is kind and scheme.hash in announced and permits(scheme)
    ]
    fitting = (scheme for scheme in usable if scheme.hash is wanted)
    return next(fitting, usable[0] if usable else None)


def sign(
    key: PrivateKey,
    scheme: SignatureScheme,
    octets: bytes,
    method: AuthMethod = AuthMethod.DIGITAL_SIGNATURE,
) -> bytes:
    """Authentication data by a key that is here."""
    private: Any = key
    signature = private.sign(octets, *_ARGUMENTS[scheme.identifier][0])
    bits = 0 if method is AuthMethod.DIGITAL_SIGNATURE else strength_of(key)
    return authentication_data(method, scheme, signature, bits)


def classic_method(key: PublicKey | PrivateKey) -> AuthMethod | None:
    """The method for a peer that knows no RFC 7427; None when there is none for the key."""
    if kind_of(key) is KeyKind.RSA:
        return AuthMethod.RSA_SIGNATURE
    if kind_of(key) is KeyKind.ECDSA:
        known: Any = key
        curves = {curve: method for method, (curve, _) in _CURVE_METHODS.items()}
        return curves.get(known.curve.name)
    return None


def classic_scheme(method: AuthMethod, permits: Permits) -> SignatureScheme:
    """How methods 1, 9, 10 and 11 sign (RFC 7296 section 2.15). Raises AuthenticationFailed."""
    if method is AuthMethod.RSA_SIGNATURE:
        scheme = next((one for one in _classic_rsa() if permits(one)), None)
        if scheme is None:
            raise AuthenticationFailed("the connection permits no RSA signature of method 1")
        return scheme
    _, digest = _CURVE_METHODS[method]
    return next(one for one in SCHEMES if one.kind is KeyKind.ECDSA and one.hash is digest)


def authentication_data(
    method: AuthMethod, scheme: SignatureScheme, signature: bytes, bits: int
) -> bytes:
    """A signature as each method has it (RFC 7427 section 3); `bits` are those of the key."""
    if method is AuthMethod.DIGITAL_SIGNATURE:
        return bytes((len(scheme.identifier),)) + scheme.identifier + signature
    if scheme.kind is not KeyKind.ECDSA:
        return signature
    r, s = decode_dss_signature(signature)
    size = (bits + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify(
    key: PublicKey, method: AuthMethod, data: bytes, octets: bytes, permits: Permits
) -> SignatureScheme:
    """The scheme by which `data` signs `octets`. Raises AuthenticationFailed."""
    if method is AuthMethod.DIGITAL_SIGNATURE:
        scheme, signature = _split(data)
        _check_scheme(key, scheme, permits)
        if is_right(key, scheme, signature, octets):
            return scheme
        raise AuthenticationFailed(f"the signature ({scheme}) is wrong")
    if method is AuthMethod.RSA_SIGNATURE and isinstance(key, rsa.RSAPublicKey):
        return _verify_classic_rsa(key, data, octets, permits)
    if method in _CURVE_METHODS and isinstance(key, ec.EllipticCurvePublicKey):
        return _verify_curve(key, method, data, octets, permits)
    raise AuthenticationFailed(f"method {method.name} does not fit a key of {kind_of(key).value}")


def _split(data: bytes) -> tuple[SignatureScheme, bytes]:
    length = data[0] if data else 0
    identifier, signature = data[1 : 1 + length], data[1 + length :]
    scheme = BY_IDENTIFIER.get(identifier)
    if scheme is None:
        raise AuthenticationFailed(
            f"the signature is by an algorithm we do not know: {identifier[:40].hex() or 'none'}"
        )
    return scheme, signature


def _check_scheme(key: PublicKey, scheme: SignatureScheme, permits: Permits) -> None:
    if kind_of(key) is not scheme.kind:
        raise AuthenticationFailed(f"signed by {scheme}, but the key is {kind_of(key).value}")
    if not permits(scheme):
        raise AuthenticationFailed(f"signed by {scheme}, which the connection does not permit")


def _verify_classic_rsa(
    key: rsa.RSAPublicKey, data: bytes, octets: bytes, permits: Permits
) -> SignatureScheme:
    for scheme in _classic_rsa():
        if is_right(key, scheme, data, octets):
            _check_scheme(key, scheme, permits)
            return scheme
    raise AuthenticationFailed("the signature (RSA, method 1) is wrong")


def _verify_curve(
    key: ec.EllipticCurvePublicKey,
    method: AuthMethod,
    data: bytes,
    octets: bytes,
    permits: Permits,
) -> SignatureScheme:
    curve, digest = _CURVE_METHODS[method]
    scheme = next(one for one in SCHEMES if one.kind is KeyKind.ECDSA and one.hash is digest)
    if key.curve.name != curve:
        raise AuthenticationFailed(
            f"method {method.name} needs {curve}, the key is {key.curve.name}"
        )
    _check_scheme(key, scheme, permits)
    size = (key.key_size + 7) // 8
    if len(data) != 2 * size:
        raise AuthenticationFailed(f"an ECDSA signature of {len(data)} octets, not {2 * size}")
    r, s = int.from_bytes(data[:size], "big"), int.from_bytes(data[size:], "big")
    if not r or not s or not is_right(key, scheme, encode_dss_signature(r, s), octets):
        raise AuthenticationFailed(f"the signature ({method.name}) is wrong")
    return scheme


def _classic_rsa() -> tuple[SignatureScheme, ...]:
    """Method 1 tells the hash inside the padding: SHA-1 is only the last to be tried."""
    return tuple(one for one in SCHEMES if one.kind is KeyKind.RSA and not one.pss)


def _fitting_hash(key: PublicKey | PrivateKey) -> SignatureHash:
    """The hash as strong as the key; a longer one buys nothing."""
    strength = strength_of(key)
    if kind_of(key) is KeyKind.RSA:
        strength = 256 if strength <= 3072 else 384 if strength <= 7680 else 512
    if not strength:
        return SignatureHash.IDENTITY
    if strength <= 256:
        return SignatureHash.SHA2_256
    return SignatureHash.SHA2_384 if strength <= 384 else SignatureHash.SHA2_512


def _pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


def _arguments(scheme: SignatureScheme, *, signing: bool) -> tuple[Any, ...]:
    """What `sign` and `verify` of the scheme's kind of key take after the octets."""
    if scheme.hash is SignatureHash.IDENTITY:
        return ()
    digest = _HASHES[scheme.hash]
    if scheme.kind is KeyKind.ECDSA:
        return (ec.ECDSA(digest, deterministic_signing=signing),)
    return (_pss(digest) if scheme.pss else padding.PKCS1v15(), digest)


def is_right(key: Any, scheme: SignatureScheme, signature: bytes, octets: bytes) -> bool:
    """Whether it is the signature of a public key of the scheme's kind."""
    try:
        key.verify(signature, octets, *_ARGUMENTS[scheme.identifier][1])
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


_KINDS: tuple[tuple[tuple[type[Any], ...], KeyKind], ...] = (
    ((rsa.RSAPublicKey, rsa.RSAPrivateKey), KeyKind.RSA),
    ((ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey), KeyKind.ECDSA),
    ((ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey), KeyKind.ED25519),
    ((ed448.Ed448PublicKey, ed448.Ed448PrivateKey), KeyKind.ED448),
    ((mldsa.MLDSA44PublicKey, mldsa.MLDSA44PrivateKey), KeyKind.MLDSA44),
    ((mldsa.MLDSA65PublicKey, mldsa.MLDSA65PrivateKey), KeyKind.MLDSA65),
    ((mldsa.MLDSA87PublicKey, mldsa.MLDSA87PrivateKey), KeyKind.MLDSA87),
)

_SIZED = (KeyKind.RSA, KeyKind.ECDSA)

# Made once: paddings look at all that they are given.
_ARGUMENTS = {
    one.identifier: (_arguments(one, signing=True), _arguments(one, signing=False))
    for one in SCHEMES
}
