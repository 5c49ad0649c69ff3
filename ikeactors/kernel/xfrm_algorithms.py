"""The kernel's names of the algorithms, and the attributes that carry the keys.

Keys are given as keymat gives them: salt or nonce behind the key, as the kernel wants it too.
"""

from __future__ import annotations

import errno
import struct

from ikeactors.iana import Encr, Integ, ProtocolId
from ikeactors.kernel.compression import IPCOMP
from ikeactors.kernel.netlink import write_attribute
from ikeactors.kernel.requests import KernelRefusal, SaRequest

# linux/xfrm.h
XFRMA_ALG_CRYPT = 2
XFRMA_ALG_COMP = 3
XFRMA_ALG_AEAD = 18
XFRMA_ALG_AUTH_TRUNC = 20
_ALGORITHM = struct.Struct("=64sI")
_ALGORITHM_WITH_ICV = struct.Struct("=64sII")


def write_algorithms(request: SaRequest) -> bytes:
    """The attributes with an SA's algorithms and keys."""
    if request.protocol == ProtocolId.AH:
        return _integrity(request)
    if request.protocol == IPCOMP:
        return write_attribute(XFRMA_ALG_COMP, _ALGORITHM.pack(b"deflate", 0))
    name = AEAD_NAMES.get(request.suite.encr)
    if name is not None:
        return _aead(name, request)
    return _integrity(request) + _encryption(request)


def _aead(name: bytes, request: SaRequest) -> bytes:
    key = request.encr_key
    head = _ALGORITHM_WITH_ICV.pack(name, len(key) * 8, request.suite.icv_octets * 8)
    return write_attribute(XFRMA_ALG_AEAD, head + key)


def _encryption(request: SaRequest) -> bytes:
    encr = request.suite.encr
    name = ENCRYPTION_NAMES.get(encr)
    if name is None:
        raise KernelRefusal(errno.EOPNOTSUPP, f"no name of {encr.name} in the kernel is known")
    head = _ALGORITHM.pack(name, len(request.encr_key) * 8)
    return write_attribute(XFRMA_ALG_CRYPT, head + request.encr_key)


def _integrity(request: SaRequest) -> bytes:
    integ = request.suite.integ
    row = INTEGRITY_NAMES.get(integ)
    if row is None:
        raise KernelRefusal(errno.EOPNOTSUPP, f"no name of {integ.name} in the kernel is known")
    name, icv_bits = row
    head = _ALGORITHM_WITH_ICV.pack(name, len(request.integ_key) * 8, icv_bits)
    return write_attribute(XFRMA_ALG_AUTH_TRUNC, head + request.integ_key)


AEAD_NAMES: dict[Encr, bytes] = {
    Encr.AES_GCM_8: b"rfc4106(gcm(aes))",
    Encr.AES_GCM_12: b"rfc4106(gcm(aes))",
    Encr.AES_GCM_16: b"rfc4106(gcm(aes))",
    Encr.AES_CCM_8: b"rfc4309(ccm(aes))",
    Encr.AES_CCM_12: b"rfc4309(ccm(aes))",
    Encr.AES_CCM_16: b"rfc4309(ccm(aes))",
    Encr.NULL_AUTH_AES_GMAC: b"rfc4543(gcm(aes))",
    Encr.CHACHA20_POLY1305: b"rfc7539esp(chacha20,poly1305)",
}

ENCRYPTION_NAMES: dict[Encr, bytes] = {
    Encr.AES_CBC: b"cbc(aes)",
    Encr.AES_CTR: b"rfc3686(ctr(aes))",
    Encr.TRIPLE_DES: b"cbc(des3_ede)",
    Encr.NULL: b"ecb(cipher_null)",
}

# With the ICV's bits: the kernel's default for HMAC-SHA-256 is a draft's 96.
INTEGRITY_NAMES: dict[Integ, tuple[bytes, int]] = {
    Integ.HMAC_MD5_96: (b"hmac(md5)", 96),
    Integ.HMAC_MD5_128: (b"hmac(md5)", 128),
    Integ.HMAC_SHA1_96: (b"hmac(sha1)", 96),
    Integ.HMAC_SHA1_160: (b"hmac(sha1)", 160),
    Integ.AES_XCBC_96: (b"xcbc(aes)", 96),
    Integ.AES_CMAC_96: (b"cmac(aes)", 96),
    Integ.HMAC_SHA2_256_128: (b"hmac(sha256)", 128),
    Integ.HMAC_SHA2_384_192: (b"hmac(sha384)", 192),
    Integ.HMAC_SHA2_512_256: (b"hmac(sha512)", 256),
}
