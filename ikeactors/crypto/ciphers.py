"""Protection of SK payloads and ESP packets: one seal and one open for AEAD and encrypt-then-MAC.

Padding and IVs are the caller's: unpredictable ones for CBC, never repeated ones (a counter) for
the counter modes. The algorithms' own code is in `sealing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from ikeactors.crypto import sealing
from ikeactors.crypto.integrity import Integrity, integrity_for
from ikeactors.crypto.sealing import Keyed
from ikeactors.errors import UnsupportedAlgorithm
from ikeactors.iana import Encr, Integ


@dataclass(frozen=True, slots=True)
class Cipher:
    """An encryption algorithm with its key length and integrity algorithm: lengths, no key."""

    encr: Encr
    key_length: int | None
    """In bits, as in the transform's attribute: `None` where the algorithm has only one."""

    integ: Integ
    encr_key_octets: int
    """What keymat gives to encryption: the key and, behind it, the salt or nonce."""

    integ_key_octets: int
    iv_octets: int
    """The IV as it is on the wire."""

    icv_octets: int
    block_octets: int
    """What the plaintext's length must be a multiple of (ESP itself asks for 4 besides)."""

    is_aead: bool
    name: str
    _make: Callable[[bytes, bytes], Keyed] = field(repr=False, compare=False)

    def keyed(self, encr_key: bytes, integ_key: bytes) -> Keyed:
        """The cipher with its keys, ready to seal and to open."""
        assert len(encr_key) == self.encr_key_octets
        assert len(integ_key) == self.integ_key_octets
        return self._make(encr_key, integ_key)


@lru_cache(maxsize=256)
def cipher_for(encr: Encr, key_length: int | None, integ: Integ) -> Cipher:
    """The cipher these transforms make, or `UnsupportedAlgorithm`."""
    if not supports_encr(encr, key_length):
        bits = "" if key_length is None else f" with {key_length} bits"
        raise UnsupportedAlgorithm(f"encryption algorithm {encr.name}{bits} is not supported")
    aead = _AEADS.get(encr)
    if aead is not None:
        return _aead_cipher(encr, key_length, integ, aead)
    return _composed_cipher(encr, key_length, integrity_for(integ))


def supports_encr(encr: Encr, key_length: int | None) -> bool:
    """Whether the algorithm is here and takes a key of this length (RFC 7296 section 3.3.5)."""
    row = _AEADS.get(encr) or _COMPOSED.get(encr)
    if row is None:
        return False
    return key_length is None if row.key_octets is not None else key_length in AES_KEY_LENGTHS


def is_aead(encr: Encr) -> bool:
    """Whether the algorithm brings its own integrity, so that INTEG is absent or NONE."""
    return encr in _AEADS


@dataclass(frozen=True, slots=True)
class _Aead:
    make: Callable[[bytes, int, int], Keyed]
    """From the key with its salt, the salt's octets and the ICV's."""

    salt_octets: int
    icv_octets: int
    key_octets: int | None = None
    """`None`: as the key length attribute says."""


@dataclass(frozen=True, slots=True)
class _Composed:
    """Encryption that needs an integrity algorithm beside it."""

    transform: Callable[[bytes], sealing.Transform]
    iv_octets: int
    block_octets: int
    key_octets: int | None = None
    nonce_octets: int = 0


def _aead_cipher(encr: Encr, key_length: int | None, integ: Integ, row: _Aead) -> Cipher:
    if integ != Integ.NONE:
        raise UnsupportedAlgorithm(f"{encr.name} takes no integrity algorithm, not {integ.name}")
    return Cipher(
        encr=encr,
        key_length=key_length,
        integ=integ,
        encr_key_octets=_key_octets(row.key_octets, key_length) + row.salt_octets,
        integ_key_octets=0,
        iv_octets=sealing.COUNTER_IV_OCTETS,
        icv_octets=row.icv_octets,
        block_octets=1,
        is_aead=True,
        name=_encr_name(encr, key_length),
        _make=lambda encr_key, _: row.make(encr_key, row.salt_octets, row.icv_octets),
    )


def _composed_cipher(encr: Encr, key_length: int | None, integrity: Integrity) -> Cipher:
    row = _COMPOSED[encr]
    return Cipher(
        encr=encr,
        key_length=key_length,
        integ=integrity.id,
        encr_key_octets=_key_octets(row.key_octets, key_length) + row.nonce_octets,
        integ_key_octets=integrity.key_octets,
        iv_octets=row.iv_octets,
        icv_octets=integrity.icv_octets,
        block_octets=row.block_octets,
        is_aead=False,
        name=f"{_encr_name(encr, key_length)}/{integrity.id.name}",
        _make=lambda encr_key, integ_key: sealing.EncryptThenMac(
            row.transform(encr_key),
            row.iv_octets,
            row.block_octets,
            integrity.keyed(integ_key),
            integrity.icv_octets,
        ),
    )


def _key_octets(fixed: int | None, key_length: int | None) -> int:
    if fixed is not None:
        return fixed
    assert key_length is not None
    return key_length // 8


def _encr_name(encr: Encr, key_length: int | None) -> str:
    return encr.name if key_length is None else f"{encr.name}_{key_length}"


AES_KEY_LENGTHS = frozenset({128, 192, 256})

_AEADS = {
    Encr.AES_GCM_8: _Aead(sealing.truncated_gcm, salt_octets=4, icv_octets=8),
    Encr.AES_GCM_12: _Aead(sealing.truncated_gcm, salt_octets=4, icv_octets=12),
    Encr.AES_GCM_16: _Aead(sealing.gcm, salt_octets=4, icv_octets=16),
    Encr.AES_CCM_8: _Aead(sealing.ccm, salt_octets=3, icv_octets=8),
    Encr.AES_CCM_12: _Aead(sealing.ccm, salt_octets=3, icv_octets=12),
    Encr.AES_CCM_16: _Aead(sealing.ccm, salt_octets=3, icv_octets=16),
    Encr.NULL_AUTH_AES_GMAC: _Aead(sealing.gmac, salt_octets=4, icv_octets=16),
    Encr.CHACHA20_POLY1305: _Aead(
        sealing.chacha20_poly1305, salt_octets=4, icv_octets=16, key_octets=32
    ),
}

_COMPOSED = {
    Encr.AES_CBC: _Composed(sealing.aes_cbc, iv_octets=16, block_octets=16),
    Encr.AES_CTR: _Composed(sealing.aes_ctr, iv_octets=8, block_octets=1, nonce_octets=4),
    Encr.TRIPLE_DES: _Composed(sealing.triple_des, iv_octets=8, block_octets=8, key_octets=24),
    Encr.NULL: _Composed(sealing.null, iv_octets=0, block_octets=1, key_octets=0),
}

OPT_IN_ENCR = frozenset({Encr.TRIPLE_DES, Encr.NULL, Encr.NULL_AUTH_AES_GMAC})
"""What a configuration must ask for by name: weak, or without confidentiality."""

ESP_ONLY_ENCR = frozenset({Encr.NULL, Encr.NULL_AUTH_AES_GMAC})
"""What may not protect an IKE SA (RFC 7296 section 5)."""
