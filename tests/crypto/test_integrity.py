"""Integrity algorithms against published vectors."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from ikeactors.crypto.integrity import OPT_IN_INTEG, integrity_for
from ikeactors.errors import UnsupportedAlgorithm
from ikeactors.iana import Integ
from tests.crypto.published import named_vectors, vectors

# Octets of the key and of the ICV.
LENGTHS = [
    (Integ.HMAC_MD5_96, 16, 12),
    (Integ.HMAC_SHA1_96, 20, 12),
    (Integ.AES_XCBC_96, 16, 12),
    (Integ.HMAC_MD5_128, 16, 16),
    (Integ.HMAC_SHA1_160, 20, 20),
    (Integ.AES_CMAC_96, 16, 12),
    (Integ.HMAC_SHA2_256_128, 32, 16),
    (Integ.HMAC_SHA2_384_192, 48, 24),
    (Integ.HMAC_SHA2_512_256, 64, 32),
]


def icv(algorithm: Integ, key: bytes, data: bytes) -> bytes:
    integrity = integrity_for(algorithm)
    return integrity.keyed(key)(data)[: integrity.icv_octets]


@pytest.mark.parametrize(("name", "vector"), named_vectors("integrity.toml"))
def test_hmac_sha2_gives_the_published_icvs(name: str, vector: dict[str, bytes]) -> None:
    """(RFC 4868 section 2.7.2)"""
    assert icv(Integ[name], vector["key"], vector["data"]) == vector["icv"]


@pytest.mark.parametrize("vector", vectors("aes-xcbc-mac.toml"))
def test_xcbc_96_is_the_front_of_the_mac(vector: dict[str, bytes]) -> None:
    assert icv(Integ.AES_XCBC_96, vector["key"], vector["data"]) == vector["mac"][:12]


@pytest.mark.parametrize(
    ("algorithm", "name"), [(Integ.HMAC_MD5_96, "md5"), (Integ.HMAC_SHA1_96, "sha1")]
)
def test_the_old_hmacs_agree_with_the_standard_library(algorithm: Integ, name: str) -> None:
    expected = hmac.new(b"key", b"data", getattr(hashlib, name)).digest()
    assert icv(algorithm, b"key", b"data") == expected[:12]


@pytest.mark.parametrize(("algorithm", "key_octets", "icv_octets"), LENGTHS)
def test_keys_and_icvs_have_the_lengths_of_their_rfcs(
    algorithm: Integ, key_octets: int, icv_octets: int
) -> None:
    integrity = integrity_for(algorithm)
    assert (integrity.key_octets, integrity.icv_octets) == (key_octets, icv_octets)
    assert len(integrity.keyed(bytes(key_octets))(b"data")) >= icv_octets


def test_a_keyed_mac_serves_more_than_once() -> None:
    mac = integrity_for(Integ.HMAC_SHA2_256_128).keyed(bytes(32))
    assert mac(b"first") != mac(b"second")
    assert mac(b"first") == mac(b"first")


@pytest.mark.parametrize("algorithm", [Integ.NONE, Integ.DES_MAC, Integ.AES_128_GMAC, Integ(999)])
def test_other_algorithms_are_unsupported(algorithm: Integ) -> None:
    with pytest.raises(UnsupportedAlgorithm, match="integrity"):
        integrity_for(algorithm)


def test_the_weak_and_the_unusual_are_opt_in() -> None:
    assert {Integ.HMAC_MD5_96, Integ.HMAC_MD5_128, Integ.HMAC_SHA1_160} == OPT_IN_INTEG
