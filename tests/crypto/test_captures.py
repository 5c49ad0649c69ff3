"""What others have sealed: captures of IKEv2 and ESP whose keys are known."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ikeactors.crypto.ciphers import Cipher, cipher_for
from ikeactors.crypto.sealing import Keyed, aes_ctr
from ikeactors.iana import Encr, Integ
from ikeactors.wire.message import read_message
from ikeactors.wire.payload import Encrypted, read_payloads
from tests.crypto.published import shared
from tests.vectors.pcap import ike_messages

# By Wireshark's name of it.
ALGORITHMS = {
    "3DES [RFC2451]": (Encr.TRIPLE_DES, None),
    "AES-CBC-256 [RFC3602]": (Encr.AES_CBC, 256),
    "AES-CTR-192 [RFC5930]": (Encr.AES_CTR, 192),
    "AES-CCM-128 with 12 octet ICV [RFC5282]": (Encr.AES_CCM_12, 128),
    "AES-CCM-256 with 16 octet ICV [RFC5282]": (Encr.AES_CCM_16, 256),
    "AES-GCM-256 with 8 octet ICV [RFC5282]": (Encr.AES_GCM_8, 256),
    "AES-GCM-256 with 16 octet ICV [RFC5282]": (Encr.AES_GCM_16, 256),
}
INTEGRITIES = {
    "NONE [RFC4306]": Integ.NONE,
    "HMAC_SHA1_160 [RFC4595]": Integ.HMAC_SHA1_160,
    "HMAC_SHA2_256_128 [RFC4868]": Integ.HMAC_SHA2_256_128,
    "HMAC_SHA2_512_256 [RFC4868]": Integ.HMAC_SHA2_512_256,
}
CAPTURES = (
    "ikev2-decrypt-3des-sha1_160.pcap",
    "ikev2-decrypt-aes128ccm12.pcap",
    "ikev2-decrypt-aes192ctr.pcap",
    "ikev2-decrypt-aes256cbc.pcapng",
    "ikev2-decrypt-aes256ccm16.pcapng",
    "ikev2-decrypt-aes256gcm8.pcap",
    "ikev2-decrypt-aes256gcm16.pcap",
)


@dataclass(frozen=True)
class Keys:
    """An IKE SA whose keys somebody has written down."""

    cipher: Cipher
    initiator: Keyed
    responder: Keyed


def key_rows() -> list[list[str]]:
    lines = shared("wireshark/ikev2_decryption_table.tmpl").read_text().splitlines()
    return list(csv.reader(line for line in lines if not line.startswith("#")))


@cache
def key_table() -> dict[bytes, Keys]:
    """The keys by both SPIs."""
    return {
        bytes.fromhex(row[0] + row[1]): keys_of(row) for row in key_rows() if row[4] in ALGORITHMS
    }


def keys_of(row: list[str]) -> Keys:
    sk_ei, sk_er, sk_ai, sk_ar = (bytes.fromhex(row[at]) for at in (2, 3, 5, 6))
    cipher = cipher_for(*ALGORITHMS[row[4]], INTEGRITIES[row[7]])
    return Keys(cipher, cipher.keyed(sk_ei, sk_ai), cipher.keyed(sk_er, sk_ar))


def sealed_messages(path: Path) -> Iterator[tuple[bytes, Encrypted]]:
    for octets in ike_messages(path):
        last = read_message(octets).payloads[-1:]
        if last and isinstance(last[0], Encrypted):
            yield octets, last[0]


@pytest.mark.parametrize("name", CAPTURES)
def test_every_sealed_message_of_a_capture_opens(name: str) -> None:
    """(RFC 7296 section 3.14)"""
    opened = 0
    for octets, sealed in sealed_messages(shared(f"wireshark/{name}")):
        keys = key_table().get(octets[:16])
        if keys is None:
            continue
        from_initiator = bool(octets[19] & 0x08)
        keyed = keys.initiator if from_initiator else keys.responder
        iv_octets = keys.cipher.iv_octets
        body_at = len(octets) - len(sealed.data)
        padded = keyed.open(sealed.data[:iv_octets], sealed.data[iv_octets:], octets[:body_at])
        plaintext = padded[: len(padded) - padded[-1] - 1]
        inner = read_payloads(sealed.next_payload, plaintext)
        assert bool(inner) == bool(plaintext)
        again = keyed.seal(sealed.data[:iv_octets], padded, octets[:body_at])
        assert again == sealed.data[iv_octets:]
        opened += 1
    assert opened


def test_a_capture_of_aes_ctr_without_integrity_keys_is_decrypted() -> None:
    """(RFC 5930 section 2)"""
    row = next(row for row in key_rows() if row[4].startswith("AES-CTR-128"))
    keys = [aes_ctr(bytes.fromhex(row[at])) for at in (2, 3)]
    opened = 0
    for octets, sealed in sealed_messages(shared("wireshark/ikev2-decrypt-aes128ccm12-2.pcap")):
        key = keys[0] if octets[19] & 0x08 else keys[1]
        padded = key.decrypt(sealed.data[:8], sealed.data[8:-12])
        read_payloads(sealed.next_payload, padded[: len(padded) - padded[-1] - 1])
        opened += 1
    assert opened == 4
