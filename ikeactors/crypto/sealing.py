"""The keyed ciphers: what seals and opens. `ciphers` says which transform is which of these."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ikeactors.errors import IntegrityFailed

# The IV of every counter mode and AEAD of IPsec on the wire.
COUNTER_IV_OCTETS = 8

GCM_TAG_OCTETS = 16


class Keyed(Protocol):
    """A cipher with its keys."""

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        """Ciphertext and ICV of an already padded plaintext.

        `trailer` is authenticated behind the ciphertext and not sent: the high half of an extended
        sequence number (RFC 4303 section 2.2.1). An AEAD has it in `associated` instead.
        """

    def open(self, iv: bytes, sealed: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        """The plaintext, still padded, or `IntegrityFailed`."""


class Aead(Protocol):
    """What the libraries' AEAD objects have in common."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class WholeTagAead:
    """An AEAD whose ICV the library makes as long as it is sent."""

    __slots__ = ("_aead", "_salt")

    def __init__(self, aead: Aead, salt: bytes) -> None:
        self._aead = aead
        self._salt = salt

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert len(iv) == COUNTER_IV_OCTETS
        assert not trailer
        return self._aead.encrypt(self._salt + iv, plaintext, associated)

    def open(self, iv: bytes, sealed: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert not trailer
        if len(iv) != COUNTER_IV_OCTETS:
            raise IntegrityFailed("IV too short")
        try:
            return self._aead.decrypt(self._salt + iv, sealed, associated)
        except InvalidTag:
            raise IntegrityFailed("wrong ICV") from None


class TruncatedGcm:
    """AES-GCM with an ICV of 8 or 12 octets, which the library's AEAD object cannot make."""

    __slots__ = ("_aes", "_icv_octets", "_salt")

    def __init__(self, key: bytes, salt: bytes, icv_octets: int) -> None:
        self._aes = algorithms.AES(key)
        self._salt = salt
        self._icv_octets = icv_octets

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert len(iv) == COUNTER_IV_OCTETS
        assert not trailer
        encryptor = Cipher(self._aes, modes.GCM(self._salt + iv)).encryptor()
        encryptor.authenticate_additional_data(associated)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return ciphertext + encryptor.tag[: self._icv_octets]

    def open(self, iv: bytes, sealed: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert not trailer
        end = len(sealed) - self._icv_octets
        if len(iv) != COUNTER_IV_OCTETS or end < 0:
            raise IntegrityFailed("too short for IV and ICV")
        mode = modes.GCM(self._salt + iv, sealed[end:], min_tag_length=self._icv_octets)
        decryptor = Cipher(self._aes, mode).decryptor()
        decryptor.authenticate_additional_data(associated)
        plaintext = decryptor.update(sealed[:end])
        try:
            return plaintext + decryptor.finalize()
        except InvalidTag:
            raise IntegrityFailed("wrong ICV") from None


class Gmac:
    """Integrity without confidentiality; the IV is authenticated too (RFC 4543 section 3.3)."""

    __slots__ = ("_gcm", "_salt")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._gcm = AESGCM(key)
        self._salt = salt

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert len(iv) == COUNTER_IV_OCTETS
        assert not trailer
        return plaintext + self._gcm.encrypt(self._salt + iv, b"", associated + iv + plaintext)

    def open(self, iv: bytes, sealed: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert not trailer
        end = len(sealed) - GCM_TAG_OCTETS
        if len(iv) != COUNTER_IV_OCTETS or end < 0:
            raise IntegrityFailed("too short for IV and ICV")
        plaintext = sealed[:end]
        try:
            self._gcm.decrypt(self._salt + iv, sealed[end:], associated + iv + plaintext)
        except InvalidTag:
            raise IntegrityFailed("wrong ICV") from None
        return plaintext


class Transform(Protocol):
    """Encryption alone, with its key."""

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes: ...

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes: ...


class BlockMode:
    """A block cipher in a mode of operation; `cipher` makes both from the IV."""

    __slots__ = ("_cipher",)

    def __init__(self, cipher: Callable[[bytes], Cipher[modes.CBC] | Cipher[modes.CTR]]) -> None:
        self._cipher = cipher

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        return _all_of(self._cipher(iv).encryptor(), plaintext)

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        return _all_of(self._cipher(iv).decryptor(), ciphertext)


class Null:
    """No encryption (RFC 2410)."""

    __slots__ = ()

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        return plaintext

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        return ciphertext


class EncryptThenMac:
    """Encryption and a MAC over what is in front of the IV, the IV and the ciphertext."""

    __slots__ = ("_block_octets", "_icv_octets", "_iv_octets", "_mac", "_transform")

    def __init__(
        self,
        transform: Transform,
        iv_octets: int,
        block_octets: int,
        mac: Callable[[bytes], bytes],
        icv_octets: int,
    ) -> None:
        self._transform = transform
        self._iv_octets = iv_octets
        self._block_octets = block_octets
        self._mac = mac
        self._icv_octets = icv_octets

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        assert len(iv) == self._iv_octets
        assert len(plaintext) % self._block_octets == 0
        ciphertext = self._transform.encrypt(iv, plaintext)
        mac = self._mac(b"".join((associated, iv, ciphertext, trailer)))
        return ciphertext + mac[: self._icv_octets]

    def open(self, iv: bytes, sealed: bytes, associated: bytes, trailer: bytes = b"") -> bytes:
        end = len(sealed) - self._icv_octets
        if len(iv) != self._iv_octets or end < 0 or end % self._block_octets:
            raise IntegrityFailed("not of the length this cipher makes")
        ciphertext = sealed[:end]
        mac = self._mac(b"".join((associated, iv, ciphertext, trailer)))
        if not hmac.compare_digest(mac[: self._icv_octets], sealed[end:]):
            raise IntegrityFailed("wrong ICV")

        # Authenticated: from here on we may decrypt.
        return self._transform.decrypt(iv, ciphertext)


def gcm(keymat: bytes, salt_octets: int, icv_octets: int) -> Keyed:
    """AES-GCM with the whole tag (RFC 4106 section 8.1)."""
    assert icv_octets == GCM_TAG_OCTETS
    return WholeTagAead(AESGCM(keymat[:-salt_octets]), keymat[-salt_octets:])


def truncated_gcm(keymat: bytes, salt_octets: int, icv_octets: int) -> Keyed:
    """AES-GCM with a shortened tag (RFC 4106 section 6)."""
    return TruncatedGcm(keymat[:-salt_octets], keymat[-salt_octets:], icv_octets)


def ccm(keymat: bytes, salt_octets: int, icv_octets: int) -> Keyed:
    """AES-CCM with a nonce of 11 octets (RFC 4309 section 4)."""
    return WholeTagAead(AESCCM(keymat[:-salt_octets], icv_octets), keymat[-salt_octets:])


def chacha20_poly1305(keymat: bytes, salt_octets: int, icv_octets: int) -> Keyed:
    """ChaCha20-Poly1305 for IKE and ESP (RFC 7634 section 2)."""
    assert icv_octets == GCM_TAG_OCTETS
    return WholeTagAead(ChaCha20Poly1305(keymat[:-salt_octets]), keymat[-salt_octets:])


def gmac(keymat: bytes, salt_octets: int, icv_octets: int) -> Keyed:
    """ENCR_NULL_AUTH_AES_GMAC."""
    assert icv_octets == GCM_TAG_OCTETS
    return Gmac(keymat[:-salt_octets], keymat[-salt_octets:])


def aes_cbc(keymat: bytes) -> Transform:
    """AES-CBC (RFC 3602 section 2)."""
    aes = algorithms.AES(keymat)
    return BlockMode(lambda iv: Cipher(aes, modes.CBC(iv)))


def aes_ctr(keymat: bytes) -> Transform:
    """AES-CTR: the counter block is nonce, IV and a counter from 1 (RFC 3686 section 4)."""
    aes, nonce = algorithms.AES(keymat[:-4]), keymat[-4:]
    return BlockMode(lambda iv: Cipher(aes, modes.CTR(nonce + iv + b"\0\0\0\1")))


def triple_des(keymat: bytes) -> Transform:
    """3DES-CBC (RFC 2451 section 2)."""
    algorithm = TripleDES(keymat)
    return BlockMode(lambda iv: Cipher(algorithm, modes.CBC(iv)))


def null(keymat: bytes) -> Transform:
    """ENCR_NULL."""
    return Null()


def _all_of(context: CipherContext, octets: bytes) -> bytes:
    return context.update(octets) + context.finalize()
