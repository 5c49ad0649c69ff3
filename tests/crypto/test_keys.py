"""The key schedule against the vectors of NIST and of NSS, and AUTH of shared keys."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from dataclasses import astuple
from functools import lru_cache

import pytest

from ikeactors import iana
from ikeactors.crypto.keys import (
    Skeyseed,
    child_keys,
    psk_auth,
    signed_octets,
    skeyseed,
    verify_psk_auth,
)
from ikeactors.crypto.prf import prf_for, prf_plus
from ikeactors.crypto.suite import ChildSuite, IkeSuite
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from tests.crypto.published import shared

# By NIST's name of the hash: the PRF, and an integrity algorithm for the lengths of keys.
HASHES = {
    "SHA-1": (iana.Prf.HMAC_SHA1, Integ.HMAC_SHA1_96),
    "SHA-256": (iana.Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128),
    "SHA-384": (iana.Prf.HMAC_SHA2_384, Integ.HMAC_SHA2_384_192),
    "SHA-512": (iana.Prf.HMAC_SHA2_512, Integ.HMAC_SHA2_512_256),
}
NSS_FILES = {
    "aesxcbc": iana.Prf.AES128_XCBC,
    "sha1": iana.Prf.HMAC_SHA1,
    "sha256": iana.Prf.HMAC_SHA2_256,
    "sha384": iana.Prf.HMAC_SHA2_384,
    "sha512": iana.Prf.HMAC_SHA2_512,
}
PRFS = (*NSS_FILES.values(), iana.Prf.AES128_CMAC)


@lru_cache(maxsize=1)
def nist_vectors() -> dict[str, list[dict[str, bytes]]]:
    """The vectors of NIST SP 800-135 by the name of their hash."""
    by_hash: dict[str, list[dict[str, bytes]]] = defaultdict(list)
    name = ""
    for line in shared("nist-sp800-135/ikev2.rsp").read_text().splitlines():
        if header := re.fullmatch(r"\[(SHA-\d+)\]", line):
            name = header[1]
        elif line.startswith("COUNT"):
            by_hash[name].append({})
        elif " = " in line and not line.startswith(("[", "#")):
            key, _, digits = line.partition(" = ")
            by_hash[name][-1][key] = bytes.fromhex(digits)
    return by_hash


@pytest.mark.parametrize("name", HASHES)
def test_the_key_schedule_gives_nists_keys(name: str) -> None:
    """(NIST SP 800-135, the CAVS vectors of IKEv2)"""
    vectors = nist_vectors()[name]
    assert vectors
    for vector in vectors:
        expect_nist(vector, *HASHES[name])


def expect_nist(vector: dict[str, bytes], prf_id: iana.Prf, integ: Integ) -> None:
    prf = prf_for(prf_id)
    nonces = vector["Ni"], vector["Nr"]
    seed = skeyseed(prf, *nonces, vector["g^ir"])
    assert seed.value == vector["SKEYSEED"]

    spis = vector["SPIi"], vector["SPIr"]
    dkm = vector["DKM"]
    assert prf_plus(prf, seed.value, b"".join((*nonces, *spis)), len(dkm)) == dkm
    keys = seed.expand(ike_suite(prf_id, integ), *nonces, *spis)
    assert agree(b"".join(astuple(keys)), dkm)
    assert len(keys.sk_d) == prf.key_octets

    child = ChildSuite(ProtocolId.ESP, Encr.AES_CBC, 128, integ, KeyExchangeMethod.NONE, esn=False)
    new = vector["g^ir (new)"]
    for fresh, name in ((b"", "DKM(Child SA)"), (new, "DKM(Child SA D-H)")):
        derived = child_keys(child, prf, keys.sk_d, *nonces, fresh)
        assert agree(b"".join(astuple(derived)), vector[name])
    rekeyed = Skeyseed.for_rekey(prf, keys.sk_d, new, *nonces)
    assert rekeyed.value == vector["SKEYSEED(Rekey)"]


def agree(left: bytes, right: bytes) -> bool:
    """Whether two cuts of one stream are the same as far as both go."""
    return left[: len(right)] == right[: len(left)]


def ike_suite(prf: iana.Prf, integ: Integ) -> IkeSuite:
    return IkeSuite(Encr.AES_CBC, 128, integ, prf, KeyExchangeMethod.CURVE25519)


@pytest.mark.parametrize(("name", "prf_id"), NSS_FILES.items())
def test_the_key_schedule_gives_nsss_keys(name: str, prf_id: iana.Prf) -> None:
    prf, seen = prf_for(prf_id), set()
    text = shared(f"nss/ike-{name}-vectors.h").read_text()
    for kind, octets, size in nss_vectors(text):
        given, gxy, _, output, nonce_i, nonce_r, seed = octets
        seen.add(kind)
        if kind == "ikeGxy":
            assert skeyseed(prf, nonce_i, nonce_r, given).value == output
        elif kind == "ikeV2Rekey":
            assert Skeyseed.for_rekey(prf, given, gxy, nonce_i, nonce_r).value == output
        elif kind == "ikePlus":
            assert prf_plus(prf, given, seed, size) == output
    assert {"ikeGxy", "ikeV2Rekey", "ikePlus"} <= seen


def nss_vectors(text: str) -> list[tuple[str, list[bytes], int]]:
    """Each vector's kind, its octet strings and its output's size."""
    text = re.sub(r"//.*", "", text)
    text = re.sub(r'"\s*"', lambda match: "" if "\n" in match[0] else match[0], text)
    found = re.findall(r"\{\d+,\s*IkeTestType::(\w+),((?:\s*\"\w*\",){7})\s*\d+,\s*(\d+)", text)
    return [
        (kind, [nss_octets(digits) for digits in re.findall(r'"(\w*)"', strings)], int(size))
        for kind, strings, size in found
    ]


def nss_octets(digits: str) -> bytes:
    """Octets as NSS reads them: a digit that is left over is an octet too."""
    return bytes(int(digits[at : at + 2], 16) for at in range(0, len(digits), 2))


@pytest.mark.parametrize("prf_id", PRFS)
def test_the_seven_keys_come_in_order_and_in_their_lengths(prf_id: iana.Prf) -> None:
    """(RFC 7296 section 2.14)"""
    prf = prf_for(prf_id)
    suite = ike_suite(prf_id, Integ.HMAC_SHA2_256_128)
    nonce_i, nonce_r, spi_i, spi_r = b"i" * 32, b"r" * 16, b"I" * 8, b"R" * 8
    keys = Skeyseed(b"seed").expand(suite, nonce_i, nonce_r, spi_i, spi_r)
    octets = prf.key_octets
    lengths = (octets, 32, 32, 16, 16, octets, octets)
    assert tuple(map(len, astuple(keys))) == lengths
    keymat = prf_plus(prf, b"seed", nonce_i + nonce_r + spi_i + spi_r, sum(lengths))
    assert b"".join(astuple(keys)) == keymat


def test_an_aead_has_no_integrity_keys() -> None:
    suite = IkeSuite(
        Encr.AES_GCM_16, 256, Integ.NONE, iana.Prf.HMAC_SHA2_256, KeyExchangeMethod.ECP_256
    )
    keys = Skeyseed(b"seed").expand(suite, b"i", b"r", bytes(8), bytes(8))
    assert (keys.sk_ai, keys.sk_ar, len(keys.sk_ei), len(keys.sk_er)) == (b"", b"", 36, 36)


@pytest.mark.parametrize("prf_id", [iana.Prf.AES128_XCBC, iana.Prf.AES128_CMAC])
def test_the_aes_prfs_take_eight_octets_of_each_nonce(prf_id: iana.Prf) -> None:
    """(RFC 7296 section 2.14)"""
    prf = prf_for(prf_id)
    seed = skeyseed(prf, b"12345678ignored", b"abcdefghignored", b"shared")
    assert seed.value == prf.compute(b"12345678abcdefgh", b"shared")


def test_child_keys_come_encryption_first_and_the_initiator_first() -> None:
    """(RFC 7296 section 2.17)"""
    prf = prf_for(iana.Prf.HMAC_SHA2_256)
    suite = ChildSuite(
        ProtocolId.ESP,
        Encr.AES_CBC,
        256,
        Integ.HMAC_SHA2_256_128,
        KeyExchangeMethod.CURVE25519,
        esn=True,
    )
    keys = child_keys(suite, prf, b"sk_d", b"i" * 16, b"r" * 16, b"fresh")
    keymat = prf_plus(prf, b"sk_d", b"fresh" + b"i" * 16 + b"r" * 16, 128)
    assert keymat == keys.encr_i + keys.integ_i + keys.encr_r + keys.integ_r
    assert [len(key) for key in astuple(keys)] == [32, 32, 32, 32]


def test_auth_of_a_shared_key_is_as_the_rfc_says() -> None:
    """(RFC 7296 section 2.15)"""

    def prf(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, hashlib.sha256).digest()

    ours = prf_for(iana.Prf.HMAC_SHA2_256)
    signed = signed_octets(b"message", b"nonce", ours, b"sk_p", b"\2\0\0\0a.lab")
    assert signed == b"message" + b"nonce" + prf(b"sk_p", b"\2\0\0\0a.lab")
    expected = prf(prf(b"secret", b"Key Pad for IKEv2"), signed)
    assert psk_auth(ours, b"secret", signed) == expected
    verify_psk_auth(ours, b"secret", signed, expected)


@pytest.mark.parametrize("auth", [b"", b"x", bytes(32), bytes(33)])
def test_a_wrong_auth_is_refused(auth: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        verify_psk_auth(prf_for(iana.Prf.HMAC_SHA2_256), b"secret", b"signed", auth)


def test_keys_do_not_show_themselves() -> None:
    suite = ike_suite(iana.Prf.HMAC_SHA2_256, Integ.HMAC_SHA2_256_128)
    seed = Skeyseed(b"secret")
    assert repr(seed) == "Skeyseed()"
    assert repr(seed.expand(suite, b"i", b"r", bytes(8), bytes(8))) == "IkeKeys()"
