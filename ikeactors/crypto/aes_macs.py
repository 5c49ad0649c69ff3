"""The two MACs made of AES: CMAC, and XCBC (RFC 3566 section 4), which no library offers."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

KEY_OCTETS = 16
BLOCK_OCTETS = 16


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, all 16 octets of it."""
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def xcbc_mac(key: bytes, data: bytes) -> bytes:
    """AES-XCBC-MAC, all 16 octets of it: AES-CBC-MAC under K1, K2 or K3 added to the last block."""
    k1, k2, k3 = _subkeys(key)
    last_at = max(len(data) - 1, 0) // BLOCK_OCTETS * BLOCK_OCTETS
    last = data[last_at:]
    if len(last) == BLOCK_OCTETS:
        last = _xor(last, k2)
    else:
        last = _xor((last + b"\x80").ljust(BLOCK_OCTETS, b"\0"), k3)
    chain = Cipher(algorithms.AES(k1), modes.CBC(bytes(BLOCK_OCTETS))).encryptor()
    return chain.update(data[:last_at] + last)[-BLOCK_OCTETS:]


def _subkeys(key: bytes) -> tuple[bytes, bytes, bytes]:
    """K1, K2, K3: the blocks 01..01, 02..02 and 03..03, each enciphered by itself."""
    blocks = b"".join(bytes([number]) * BLOCK_OCTETS for number in (1, 2, 3))
    subkeys = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)
    return subkeys[:16], subkeys[16:32], subkeys[32:]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
