"""Key exchange over elliptic curves: ECP groups, brainpool curves, Curve25519 and Curve448."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikeactors.errors import InvalidKeyExchange
from ikeactors.iana import KeyExchangeMethod
from ikeactors.quick import quick

# Ours: random octets beyond the group's order, so that the reduction's bias is below 2^-64.
EXTRA_OCTETS = 8

UNCOMPRESSED = b"\x04"


@quick
class EcpKey:
    """A private key and its point."""

    public: bytes
    _curve: ec.EllipticCurve = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def exchange(self, peer_public: bytes) -> bytes:
        """The x coordinate of the common point (RFC 5903 section 7)."""
        if len(peer_public) != len(self.public):
            raise InvalidKeyExchange("public value has the wrong length")
        try:
            # The library refuses points that are not on the curve (RFC 6989 section 2.3).
            point = UNCOMPRESSED + peer_public
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, point)
            return self._key.exchange(ec.ECDH(), peer)
        except ValueError:
            raise InvalidKeyExchange("public value is not a point of the curve") from None


@dataclass(frozen=True, slots=True)
class Ecp:
    """A curve over a prime field; its public values are x and y, without a prefix."""

    id: KeyExchangeMethod
    curve: ec.EllipticCurve = field(repr=False)
    is_slow: bool

    @property
    def public_octets(self) -> int:
        return 2 * self._field_octets

    @property
    def secret_octets(self) -> int:
        return self._field_octets + EXTRA_OCTETS

    def generate(self, seed: bytes) -> EcpKey:
        """The private key of these random octets, in 1 to n-1 (NIST SP 800-56A, 5.6.1.2.1)."""
        assert len(seed) == self.secret_octets
        secret = int.from_bytes(seed, "big") % (self.curve.group_order - 1) + 1
        key = ec.derive_private_key(secret, self.curve)
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return EcpKey(point.removeprefix(UNCOMPRESSED), self.curve, key)

    @property
    def _field_octets(self) -> int:
        return (self.curve.key_size + 7) // 8


@quick
class MontgomeryKey:
    """A private key of Curve25519 or Curve448."""

    public: bytes
    _key: X25519PrivateKey | X448PrivateKey = field(repr=False)

    def exchange(self, peer_public: bytes) -> bytes:
        """The common value; all zero is refused (RFC 7748 section 6.1)."""
        if len(peer_public) != len(self.public):
            raise InvalidKeyExchange("public value has the wrong length")
        try:
            if isinstance(self._key, X25519PrivateKey):
                return self._key.exchange(X25519PublicKey.from_public_bytes(peer_public))
            return self._key.exchange(X448PublicKey.from_public_bytes(peer_public))
        except ValueError:
            raise InvalidKeyExchange("public value gives an all-zero secret") from None


@dataclass(frozen=True, slots=True)
class Montgomery:
    """Curve25519 or Curve448 (RFC 8031 section 3.1); the libraries clamp the secret."""

    id: KeyExchangeMethod
    private_key: type[X25519PrivateKey] | type[X448PrivateKey] = field(repr=False)
    public_octets: int
    is_slow: bool = False

    @property
    def secret_octets(self) -> int:
        return self.public_octets

    def generate(self, seed: bytes) -> MontgomeryKey:
        """The private key of these random octets."""
        assert len(seed) == self.secret_octets
        key = self.private_key.from_private_bytes(seed)
        return MontgomeryKey(key.public_key().public_bytes_raw(), key)


_Id = KeyExchangeMethod

CURVES: tuple[Ecp | Montgomery, ...] = (
    Ecp(_Id.ECP_256, ec.SECP256R1(), is_slow=False),
    Ecp(_Id.ECP_384, ec.SECP384R1(), is_slow=True),
    Ecp(_Id.ECP_521, ec.SECP521R1(), is_slow=True),
    # The Brainpool curves (RFC 6954 section 2).
    Ecp(_Id.BRAINPOOL_256, ec.BrainpoolP256R1(), is_slow=False),
    Ecp(_Id.BRAINPOOL_384, ec.BrainpoolP384R1(), is_slow=True),
    Ecp(_Id.BRAINPOOL_512, ec.BrainpoolP512R1(), is_slow=True),
    Montgomery(_Id.CURVE25519, X25519PrivateKey, public_octets=32),
    Montgomery(_Id.CURVE448, X448PrivateKey, public_octets=56),
)
