"""Pseudorandom functions and prf+ (RFC 7296 section 2.13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ikeactors import iana
from ikeactors.crypto.aes_macs import KEY_OCTETS as AES_KEY_OCTETS
from ikeactors.crypto.aes_macs import cmac, xcbc_mac
from ikeactors.errors import UnsupportedAlgorithm

# The specification's: the counter of prf+ is one octet and starts at 1.
MAX_BLOCKS = 255


@dataclass(frozen=True, slots=True)
class Prf:
    """One pseudorandom function; `key_octets` is its preferred key length."""

    id: iana.Prf
    key_octets: int
    output_octets: int
    compute: Callable[[bytes, bytes], bytes]
    """From key and data to `output_octets` octets."""

    hash: hashes.HashAlgorithm | None = None
    """The hash of an HMAC, for which prf+ and HKDF-Expand are the same formula."""

    seed_nonce_octets: int | None = None
    """How much of each nonce makes the key of SKEYSEED; `None` is all of it."""


def prf_for(algorithm: iana.Prf) -> Prf:
    """The function of this number, or `UnsupportedAlgorithm`."""
    known = _PRFS.get(algorithm)
    if known is None:
        raise UnsupportedAlgorithm(f"PRF {algorithm.name} is not supported")
    return known


def prf_plus(prf: Prf, key: bytes, seed: bytes, length: int) -> bytes:
    """As many octets of T1 | T2 | ... as asked for, where Tn = prf(key, Tn-1 | seed | n)."""
    if not 0 <= length <= MAX_BLOCKS * prf.output_octets:
        raise ValueError(f"prf+ of {prf.id.name} cannot give {length} octets")
    if length and prf.hash is not None:
        return HKDFExpand(prf.hash, length, seed).derive(key)
    blocks = [b""]
    for number in range(1, -(-length // prf.output_octets) + 1):
        blocks.append(prf.compute(key, b"".join((blocks[-1], seed, bytes([number])))))
    return b"".join(blocks)[:length]


def _hmac(algorithm: hashes.HashAlgorithm, key: bytes, data: bytes) -> bytes:
    mac = HMAC(key, algorithm)
    mac.update(data)
    return mac.finalize()


def _xcbc(key: bytes, data: bytes) -> bytes:
    """AES-XCBC-PRF-128: short keys are padded, long ones hashed (RFC 4434 section 2)."""
    if len(key) > AES_KEY_OCTETS:
        key = xcbc_mac(bytes(AES_KEY_OCTETS), key)
    return xcbc_mac(key.ljust(AES_KEY_OCTETS, b"\0"), data)


def _cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC-PRF-128: keys of another length than 16 are hashed (RFC 4615 section 3)."""
    if len(key) != AES_KEY_OCTETS:
        key = cmac(bytes(AES_KEY_OCTETS), key)
    return cmac(key, data)


def _hmac_prf(algorithm: iana.Prf, hashing: hashes.HashAlgorithm) -> Prf:
    octets = hashing.digest_size
    return Prf(algorithm, octets, octets, partial(_hmac, hashing), hashing)


def _aes_prf(algorithm: iana.Prf, compute: Callable[[bytes, bytes], bytes]) -> Prf:
    return Prf(algorithm, AES_KEY_OCTETS, AES_KEY_OCTETS, compute, seed_nonce_octets=8)


_PRFS = {
    known.id: known
    for known in (
        _hmac_prf(iana.Prf.HMAC_MD5, hashes.MD5()),
        _hmac_prf(iana.Prf.HMAC_SHA1, hashes.SHA1()),
        _hmac_prf(iana.Prf.HMAC_SHA2_256, hashes.SHA256()),
        _hmac_prf(iana.Prf.HMAC_SHA2_384, hashes.SHA384()),
        _hmac_prf(iana.Prf.HMAC_SHA2_512, hashes.SHA512()),
        _aes_prf(iana.Prf.AES128_XCBC, _xcbc),
        _aes_prf(iana.Prf.AES128_CMAC, _cmac),
    )
}

OPT_IN_PRF = frozenset({iana.Prf.HMAC_MD5})
"""What a configuration must ask for by name."""
