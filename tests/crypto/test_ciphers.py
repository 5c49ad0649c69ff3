"""Every cipher: published vectors, round trips, and that nothing altered ever opens."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as AesCipher
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto.ciphers import ESP_ONLY_ENCR, OPT_IN_ENCR, Cipher, cipher_for, is_aead
from ikeactors.crypto.sealing import Keyed
from ikeactors.errors import IntegrityFailed, UnsupportedAlgorithm
from ikeactors.iana import Encr, Integ
from tests.crypto.published import vectors

AES_LENGTHS = (128, 192, 256)
AES_AEADS = (
    Encr.AES_GCM_8,
    Encr.AES_GCM_12,
    Encr.AES_GCM_16,
    Encr.AES_CCM_8,
    Encr.AES_CCM_12,
    Encr.AES_CCM_16,
    Encr.NULL_AUTH_AES_GMAC,
)
INTEGS = (
    Integ.HMAC_MD5_96,
    Integ.HMAC_SHA1_96,
    Integ.AES_XCBC_96,
    Integ.AES_CMAC_96,
    Integ.HMAC_SHA2_256_128,
    Integ.HMAC_SHA2_384_192,
    Integ.HMAC_SHA2_512_256,
)

CIPHERS = [
    *(cipher_for(encr, length, Integ.NONE) for encr in AES_AEADS for length in AES_LENGTHS),
    cipher_for(Encr.CHACHA20_POLY1305, None, Integ.NONE),
    *(cipher_for(Encr.AES_CBC, length, Integ.HMAC_SHA2_256_128) for length in AES_LENGTHS),
    *(cipher_for(Encr.AES_CTR, length, Integ.HMAC_SHA1_96) for length in AES_LENGTHS),
    *(cipher_for(Encr.NULL, None, integ) for integ in INTEGS),
    cipher_for(Encr.TRIPLE_DES, None, Integ.HMAC_SHA1_96),
]
COMPOSED = [cipher for cipher in CIPHERS if not cipher.is_aead]


def octets(length: int, start: int = 1) -> bytes:
    return bytes((start + at * 7) % 256 for at in range(length))


def keyed(cipher: Cipher) -> Keyed:
    return cipher.keyed(octets(cipher.encr_key_octets), octets(cipher.integ_key_octets, 77))


def composed(encr: Encr, key: bytes, bits: int) -> Keyed:
    return cipher_for(encr, bits, Integ.HMAC_SHA1_96).keyed(key, bytes(20))


@pytest.mark.parametrize("vector", vectors("aes-cbc.toml"))
def test_cbc_gives_the_published_ciphertexts(vector: dict[str, bytes]) -> None:
    """(RFC 3602 section 4)"""
    cipher = composed(Encr.AES_CBC, vector["key"], 128)
    assert cipher.seal(vector["iv"], vector["plaintext"], b"")[:-12] == vector["ciphertext"]


@pytest.mark.parametrize("vector", vectors("aes-ctr.toml"))
def test_ctr_gives_the_published_ciphertexts(vector: dict[str, bytes]) -> None:
    """(RFC 3686 section 6)"""
    key = vector["key"]
    cipher = composed(Encr.AES_CTR, key + vector["nonce"], len(key) * 8)
    assert cipher.seal(vector["iv"], vector["plaintext"], b"")[:-12] == vector["ciphertext"]


@pytest.mark.parametrize("vector", vectors("chacha20-poly1305.toml"))
def test_chacha20_poly1305_gives_the_published_packets(vector: dict[str, bytes]) -> None:
    """(RFC 7634 appendix A)"""
    cipher = cipher_for(Encr.CHACHA20_POLY1305, None, Integ.NONE).keyed(vector["key"], b"")
    iv, associated = vector["iv"], vector["associated"]
    assert cipher.seal(iv, vector["plaintext"], associated) == vector["sealed"]
    assert cipher.open(iv, vector["sealed"], associated) == vector["plaintext"]


@pytest.mark.parametrize("vector", vectors("aes-gcm.toml"))
@pytest.mark.parametrize(
    ("encr", "icv_octets"), [(Encr.AES_GCM_8, 8), (Encr.AES_GCM_12, 12), (Encr.AES_GCM_16, 16)]
)
def test_gcm_gives_the_published_ciphertexts_with_every_length_of_icv(
    vector: dict[str, bytes], encr: Encr, icv_octets: int
) -> None:
    """(RFC 4106 section 6)"""
    cipher = cipher_for(encr, (len(vector["key"]) - 4) * 8, Integ.NONE).keyed(vector["key"], b"")
    sealed = vector["ciphertext"] + vector["tag"][:icv_octets]
    assert cipher.seal(vector["iv"], vector["plaintext"], vector["associated"]) == sealed
    assert cipher.open(vector["iv"], sealed, vector["associated"]) == vector["plaintext"]


@pytest.mark.parametrize("bits", AES_LENGTHS)
@pytest.mark.parametrize(
    ("encr", "icv_octets"), [(Encr.AES_CCM_8, 8), (Encr.AES_CCM_12, 12), (Encr.AES_CCM_16, 16)]
)
@pytest.mark.parametrize("length", [0, 1, 16, 37])
def test_ccm_is_its_definition(encr: Encr, bits: int, icv_octets: int, length: int) -> None:
    """(RFC 4309 section 4)"""
    keymat, iv, plaintext = octets(bits // 8 + 3), octets(8, 5), octets(length, 9)
    sealed = cipher_for(encr, bits, Integ.NONE).keyed(keymat, b"").seal(iv, plaintext, b"header")
    assert sealed == ccm(keymat[:-3], keymat[-3:] + iv, plaintext, b"header", icv_octets)


def ccm(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes, icv_octets: int) -> bytes:
    """CBC-MAC and counter mode with a length field of four octets, as RFC 3610 puts them."""

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    first = bytes([64 + 8 * (icv_octets - 2) // 2 + 3]) + nonce + struct.pack("!I", len(plaintext))
    blocks = first + padded(struct.pack("!H", len(associated)) + associated) + padded(plaintext)
    mac = AesCipher(AES(key), modes.CBC(bytes(16))).encryptor().update(blocks)[-16:]
    stream = AesCipher(AES(key), modes.CTR(b"\3" + nonce + bytes(4))).encryptor()
    icv = stream.update(mac)[:icv_octets]
    return stream.update(plaintext) + icv


def test_gmac_authenticates_associated_data_iv_and_plaintext() -> None:
    """(RFC 4543 section 3.3)"""
    cipher = keyed(cipher_for(Encr.NULL_AUTH_AES_GMAC, 128, Integ.NONE))
    key, iv = octets(20), octets(8, 9)
    tag = AESGCM(key[:16]).encrypt(key[16:] + iv, b"", b"spi-seq-" + iv + b"plain")
    assert cipher.seal(iv, b"plain", b"spi-seq-") == b"plain" + tag


@pytest.mark.parametrize("cipher", CIPHERS, ids=lambda cipher: cipher.name)
@given(data=st.data())
def test_what_is_sealed_opens_and_what_is_altered_does_not(
    cipher: Cipher, data: st.DataObject
) -> None:
    blocks = data.draw(st.integers(0, 70 // cipher.block_octets))
    plaintext = octets(blocks * cipher.block_octets, data.draw(st.integers(0, 255)))
    iv = data.draw(st.binary(min_size=cipher.iv_octets, max_size=cipher.iv_octets))
    associated = data.draw(st.binary(max_size=40))
    end = keyed(cipher)

    sealed = end.seal(iv, plaintext, associated)
    assert len(sealed) == len(plaintext) + cipher.icv_octets
    assert end.open(iv, sealed, associated) == plaintext

    whole = iv + sealed + associated
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    altered = bytearray(whole)
    altered[bit // 8] ^= 1 << bit % 8
    cuts = (cipher.iv_octets, cipher.iv_octets + len(sealed))
    with pytest.raises(IntegrityFailed):
        end.open(
            bytes(altered[: cuts[0]]), bytes(altered[cuts[0] : cuts[1]]), bytes(altered[cuts[1] :])
        )


@pytest.mark.parametrize("cipher", CIPHERS, ids=lambda cipher: cipher.name)
def test_every_truncation_fails_alike(cipher: Cipher) -> None:
    end, iv = keyed(cipher), octets(cipher.iv_octets)
    sealed = end.seal(iv, octets(cipher.block_octets * 2), b"associated")
    for length in range(len(sealed)):
        with pytest.raises(IntegrityFailed):
            end.open(iv, sealed[:length], b"associated")
    for length in range(cipher.iv_octets):
        with pytest.raises(IntegrityFailed):
            end.open(iv[:length], sealed, b"associated")


@pytest.mark.parametrize("cipher", COMPOSED, ids=lambda cipher: cipher.name)
def test_the_trailer_is_authenticated_and_not_sent(cipher: Cipher) -> None:
    """(RFC 4303 section 2.2.1)"""
    end, iv = keyed(cipher), octets(cipher.iv_octets)
    plaintext = octets(cipher.block_octets)
    sealed = end.seal(iv, plaintext, b"spi-seq-", b"\0\0\0\1")
    assert len(sealed) == len(plaintext) + cipher.icv_octets
    assert end.open(iv, sealed, b"spi-seq-", b"\0\0\0\1") == plaintext
    with pytest.raises(IntegrityFailed):
        end.open(iv, sealed, b"spi-seq-", b"\0\0\0\2")


@pytest.mark.parametrize(
    ("encr", "bits", "integ", "lengths"),
    [
        # Octets of the encryption key, the integrity key, IV, ICV, block.
        (Encr.AES_GCM_16, 128, Integ.NONE, (20, 0, 8, 16, 1)),
        (Encr.AES_GCM_8, 256, Integ.NONE, (36, 0, 8, 8, 1)),
        (Encr.AES_CCM_12, 192, Integ.NONE, (27, 0, 8, 12, 1)),
        (Encr.CHACHA20_POLY1305, None, Integ.NONE, (36, 0, 8, 16, 1)),
        (Encr.NULL_AUTH_AES_GMAC, 256, Integ.NONE, (36, 0, 8, 16, 1)),
        (Encr.AES_CBC, 256, Integ.HMAC_SHA2_512_256, (32, 64, 16, 32, 16)),
        (Encr.AES_CTR, 192, Integ.AES_XCBC_96, (28, 16, 8, 12, 1)),
        (Encr.TRIPLE_DES, None, Integ.HMAC_MD5_96, (24, 16, 8, 12, 8)),
        (Encr.NULL, None, Integ.HMAC_SHA1_96, (0, 20, 0, 12, 1)),
    ],
)
def test_a_cipher_knows_its_lengths(
    encr: Encr, bits: int | None, integ: Integ, lengths: tuple[int, ...]
) -> None:
    cipher = cipher_for(encr, bits, integ)
    assert lengths == (
        cipher.encr_key_octets,
        cipher.integ_key_octets,
        cipher.iv_octets,
        cipher.icv_octets,
        cipher.block_octets,
    )
    assert cipher.is_aead == is_aead(encr) == (integ == Integ.NONE)


@pytest.mark.parametrize(
    ("encr", "bits", "integ"),
    [
        (Encr.AES_GCM_16, None, Integ.NONE),
        (Encr.AES_GCM_16, 127, Integ.NONE),
        (Encr.AES_GCM_16, 128, Integ.HMAC_SHA1_96),
        (Encr.AES_CBC, 128, Integ.NONE),
        (Encr.AES_CBC, 64, Integ.HMAC_SHA1_96),
        (Encr.NULL, None, Integ.NONE),
        (Encr.TRIPLE_DES, 192, Integ.HMAC_SHA1_96),
        (Encr.CHACHA20_POLY1305, 256, Integ.NONE),
        (Encr.BLOWFISH, 128, Integ.HMAC_SHA1_96),
        (Encr(1024), None, Integ.NONE),
    ],
)
def test_what_cannot_be_done_is_unsupported(encr: Encr, bits: int | None, integ: Integ) -> None:
    """(RFC 5282 section 8)"""
    with pytest.raises(UnsupportedAlgorithm):
        cipher_for(encr, bits, integ)


def test_equal_transforms_share_one_cipher() -> None:
    first = cipher_for(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96)
    assert first is cipher_for(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96)
    assert first.name == "AES_CBC_128/HMAC_SHA1_96"


def test_no_confidentiality_is_for_esp_and_opt_in() -> None:
    assert {Encr.NULL, Encr.NULL_AUTH_AES_GMAC} == ESP_ONLY_ENCR < OPT_IN_ENCR
    assert Encr.TRIPLE_DES in OPT_IN_ENCR
