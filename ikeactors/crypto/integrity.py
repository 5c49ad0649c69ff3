"""Integrity algorithms (transform type 3): a key in, a function from octets to their ICV out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from ikeactors.crypto.aes_macs import KEY_OCTETS as AES_KEY_OCTETS
from ikeactors.crypto.aes_macs import cmac, xcbc_mac
from ikeactors.errors import UnsupportedAlgorithm
from ikeactors.iana import Integ


@dataclass(frozen=True, slots=True)
class Integrity:
    """One integrity algorithm with the octets of its key and of its ICV on the wire."""

    id: Integ
    key_octets: int
    icv_octets: int
    keyed: Callable[[bytes], Callable[[bytes], bytes]]
    """From a key to the function that makes the MAC, not yet truncated."""


def integrity_for(algorithm: Integ) -> Integrity:
    """The algorithm of this number, or `UnsupportedAlgorithm`; NONE is no algorithm."""
    known = _INTEGRITIES.get(algorithm)
    if known is None:
        raise UnsupportedAlgorithm(f"integrity algorithm {algorithm.name} is not supported")
    return known


def _hmac(algorithm: hashes.HashAlgorithm, key: bytes) -> Callable[[bytes], bytes]:
    keyed = HMAC(key, algorithm)

    def mac(data: bytes) -> bytes:
        # Copying a keyed HMAC costs a third of keying a new one.
        copy = keyed.copy()
        copy.update(data)
        return copy.finalize()

    return mac


def _xcbc(key: bytes) -> Callable[[bytes], bytes]:
    return partial(xcbc_mac, key)


def _cmac(key: bytes) -> Callable[[bytes], bytes]:
    return partial(cmac, key)


def _hmac_row(algorithm: Integ, hashing: hashes.HashAlgorithm, icv_octets: int) -> Integrity:
    """A key as long as the hash's output (RFC 4868 section 2.1.1)."""
    return Integrity(algorithm, hashing.digest_size, icv_octets, partial(_hmac, hashing))


_INTEGRITIES = {
    known.id: known
    for known in (
        _hmac_row(Integ.HMAC_MD5_96, hashes.MD5(), 12),
        _hmac_row(Integ.HMAC_MD5_128, hashes.MD5(), 16),
        _hmac_row(Integ.HMAC_SHA1_96, hashes.SHA1(), 12),
        _hmac_row(Integ.HMAC_SHA1_160, hashes.SHA1(), 20),
        _hmac_row(Integ.HMAC_SHA2_256_128, hashes.SHA256(), 16),
        _hmac_row(Integ.HMAC_SHA2_384_192, hashes.SHA384(), 24),
        _hmac_row(Integ.HMAC_SHA2_512_256, hashes.SHA512(), 32),
        Integrity(Integ.AES_XCBC_96, AES_KEY_OCTETS, 12, _xcbc),
        Integrity(Integ.AES_CMAC_96, AES_KEY_OCTETS, 12, _cmac),
    )
}

OPT_IN_INTEG = frozenset({Integ.HMAC_MD5_96, Integ.HMAC_MD5_128, Integ.HMAC_SHA1_160})
"""What a configuration must ask for by name."""
