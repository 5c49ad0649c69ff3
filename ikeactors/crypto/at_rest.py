"""What is sealed on disk: ChaCha20-Poly1305 (RFC 8439) under a key of the operator's.

Each file or row has a salt of its own, which gives it a key of its own (HKDF, RFC 5869): so a
nonce need only be unique within it, and a number does.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ikeactors.errors import IntegrityFailed

# The specification's.
TAG_OCTETS = 16
_KEY_OCTETS = 32
_NONCE_OCTETS = 12
# Ours: as many as the hash has; two salts never meet.
SALT_OCTETS = 32


class AtRest:
    """Seals numbered records; a number is used for one plaintext."""

    __slots__ = ("_aead",)

    def __init__(self, secret: bytes, salt: bytes, purpose: str) -> None:
        assert len(salt) == SALT_OCTETS
        key = HKDF(SHA256(), _KEY_OCTETS, salt, purpose.encode("ascii")).derive(secret)
        self._aead = ChaCha20Poly1305(key)

    def seal(self, number: int, plaintext: bytes, associated: bytes = b"") -> bytes:
        """The record with this number."""
        return self._aead.encrypt(number.to_bytes(_NONCE_OCTETS, "big"), plaintext, associated)

    def open(self, number: int, sealed: bytes, associated: bytes = b"") -> bytes:
        """The plaintext, or `IntegrityFailed`."""
        try:
            return self._aead.decrypt(number.to_bytes(_NONCE_OCTETS, "big"), sealed, associated)
        except InvalidTag:
            raise IntegrityFailed("another key, or other octets") from None
