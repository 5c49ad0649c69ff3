"""Sealing and opening SK payloads, with ciphers of every kind."""

from __future__ import annotations

import pytest

from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import Fault, IntegrityFailed, InvalidSyntax
from ikeactors.iana import ExchangeType, PayloadType, ProtocolId
from ikeactors.protocol.ikev2.protection import DirectionKeys, Opened, open_sealed, seal
from ikeactors.wire.header import read_header
from ikeactors.wire.payload import Delete, Encrypted, Nonce, Payload
from tests.pair import ike

SPI_I, SPI_R = b"\1" * 8, b"\2" * 8
WORDS = [
    "aes128-sha1-x25519",
    "aes256-sha512-x25519",
    "aes128ctr-sha256-x25519",
    "aes128gcm8-prfsha256-x25519",
    "aes256ccm16-prfsha256-x25519",
    "chacha20poly1305-prfsha256-x25519",
]


def keys_of(words: str) -> DirectionKeys:
    suite = IkeSuite.from_proposal(ike(words)[0])
    cipher = suite.cipher
    return DirectionKeys(
        suite, bytes(range(cipher.encr_key_octets)), bytes(range(cipher.integ_key_octets))
    )


def sealed(keys: DirectionKeys, *payloads: Payload) -> bytes:
    return seal(
        keys,
        b"\x55" * keys.suite.cipher.iv_octets,
        SPI_I,
        SPI_R,
        ExchangeType.INFORMATIONAL,
        3,
        payloads,
        is_response=False,
        from_original_initiator=True,
    )


def opened(keys: DirectionKeys, octets: bytes) -> Opened:
    return open_sealed(keys, octets, read_header(octets))


@pytest.mark.parametrize("count", range(16, 34))
@pytest.mark.parametrize("words", WORDS)
def test_what_is_sealed_is_opened(words: str, count: int) -> None:
    """(RFC 7296 section 3.14)"""
    keys = keys_of(words)
    payloads = (Nonce(bytes(count)), Delete(ProtocolId.ESP, (b"abcd",)))
    assert opened(keys, sealed(keys, *payloads)).payloads() == payloads


@pytest.mark.parametrize("words", WORDS)
def test_an_empty_message_is_sealed_too(words: str) -> None:
    keys = keys_of(words)
    assert opened(keys, sealed(keys)).payloads() == ()


@pytest.mark.parametrize("words", WORDS)
def test_no_octet_can_be_changed_or_left_out(words: str) -> None:
    """A27, A28"""
    keys = keys_of(words)
    good = sealed(keys, Nonce(bytes(16)))
    for at in range(len(good)):
        changed = bytearray(good)
        changed[at] ^= 0x01
        with pytest.raises(Fault):
            opened(keys, bytes(changed))
    for length in range(28, len(good)):
        short = good[:24] + length.to_bytes(4, "big") + good[28:length]
        with pytest.raises(Fault):
            opened(keys, short)


def test_a_message_in_clear_is_not_opened() -> None:
    keys = keys_of(WORDS[0])
    header = sealed(keys)[:28]
    clear = header[:16] + b"\0" + header[17:24] + (28).to_bytes(4, "big")
    with pytest.raises(IntegrityFailed, match="not protected"):
        opened(keys, clear)


def test_sk_within_sk_is_refused() -> None:
    """A25"""
    keys = keys_of(WORDS[3])
    inner = sealed(keys, Encrypted(PayloadType.NONE, bytes(40)))
    with pytest.raises(InvalidSyntax, match="within"):
        opened(keys, inner).payloads()


def test_the_body_of_a_payload_is_found_as_it_was_received() -> None:
    keys = keys_of(WORDS[3])
    inner = opened(keys, sealed(keys, Nonce(b"n" * 16), Delete(ProtocolId.ESP, (b"abcd",))))
    assert inner.body_of(PayloadType.DELETE) == b"\3\4\0\1abcd"
    assert inner.body_of(PayloadType.NONCE) == b"n" * 16


def test_keys_are_in_no_representation() -> None:
    keys = keys_of(WORDS[0])
    assert repr(keys.sk_e) not in repr(keys)
    assert "AES_CBC" in repr(keys)
