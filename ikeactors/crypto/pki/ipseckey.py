"""Public keys as IPSECKEY records have them (RFC 4025 section 2.6)."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikeactors.crypto.signatures import PublicKey, check_key
from ikeactors.errors import AuthenticationFailed, InvalidSyntax
from ikeactors.wire.octets import Reader

# Numbers of algorithms in the registry; DSA (1) does not sign in IKEv2.
_RSA, _ECDSA, _EDDSA = 2, 3, 4


def read_ipseckey(algorithm: int, octets: bytes) -> bytes:
    """The SubjectPublicKeyInfo. Raises AuthenticationFailed."""
    read = _READ.get(algorithm)
    if read is None:
        raise AuthenticationFailed(f"keys of algorithm {algorithm} cannot sign in IKE")
    try:
        key = check_key(read(octets))
    except (InvalidSyntax, ValueError, UnsupportedAlgorithm) as error:
        raise AuthenticationFailed(
            f"a key of algorithm {algorithm} is malformed: {error}"
        ) from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read_rsa(octets: bytes) -> PublicKey:
    """The exponent's length, the exponent, the modulus (RFC 3110 section 2)."""
    reader = Reader(octets)
    length = reader.u8() or reader.u16()
    exponent = int.from_bytes(reader.octets(length), "big")
    modulus = int.from_bytes(reader.octets(reader.remaining), "big")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _read_ecdsa(octets: bytes) -> PublicKey:
    """Both coordinates (RFC 6605 section 4)."""
    curve = _CURVES.get(len(octets))
    if curve is None:
        raise InvalidSyntax(f"{len(octets)} octets are of no curve")
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + octets)


def _read_eddsa(octets: bytes) -> PublicKey:
    """Ed25519 or Ed448 (RFC 8080 section 3)."""
    if len(octets) == _ED448_OCTETS:
        return ed448.Ed448PublicKey.from_public_bytes(octets)
    return ed25519.Ed25519PublicKey.from_public_bytes(octets)


_ED448_OCTETS = 57
_CURVES: dict[int, ec.EllipticCurve] = {64: ec.SECP256R1(), 96: ec.SECP384R1()}
_READ: dict[int, Callable[[bytes], PublicKey]] = {
    _RSA: _read_rsa,
    _ECDSA: _read_ecdsa,
    _EDDSA: _read_eddsa,
}
