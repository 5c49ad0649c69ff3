"""The keywords of proposals, as strongSwan's users know them, and the transforms they stand for."""

from __future__ import annotations

from ikeactors.crypto.ciphers import OPT_IN_ENCR
from ikeactors.crypto.integrity import OPT_IN_INTEG
from ikeactors.crypto.key_exchange import OPT_IN_KE
from ikeactors.crypto.prf import OPT_IN_PRF
from ikeactors.iana import Encr, Esn, Integ, KeyExchangeMethod, Prf, TransformType
from ikeactors.wire.proposals import Transform

_AES_BITS = (128, 192, 256)

# Suffix of the keyword -> algorithm; CCM and GCM are told apart by octets or by bits of the ICV.
_AES_MODES = {
    "": Encr.AES_CBC,
    "ctr": Encr.AES_CTR,
    "gcm8": Encr.AES_GCM_8,
    "gcm64": Encr.AES_GCM_8,
    "gcm12": Encr.AES_GCM_12,
    "gcm96": Encr.AES_GCM_12,
    "gcm16": Encr.AES_GCM_16,
    "gcm128": Encr.AES_GCM_16,
    "gcm": Encr.AES_GCM_16,
    "ccm8": Encr.AES_CCM_8,
    "ccm64": Encr.AES_CCM_8,
    "ccm12": Encr.AES_CCM_12,
    "ccm96": Encr.AES_CCM_12,
    "ccm16": Encr.AES_CCM_16,
    "ccm128": Encr.AES_CCM_16,
    "ccm": Encr.AES_CCM_16,
    "gmac": Encr.NULL_AUTH_AES_GMAC,
}

_OTHER_CIPHERS = {
    "aes": (Encr.AES_CBC, 128),
    "chacha20poly1305": (Encr.CHACHA20_POLY1305, None),
    "3des": (Encr.TRIPLE_DES, None),
    "null": (Encr.NULL, None),
}

_CIPHERS: dict[str, tuple[Encr, int | None]] = {
    f"aes{bits}{suffix}": (encr, bits) for bits in _AES_BITS for suffix, encr in _AES_MODES.items()
} | _OTHER_CIPHERS

_INTEGRITIES = {
    "md5": Integ.HMAC_MD5_96,
    "sha1": Integ.HMAC_SHA1_96,
    "sha": Integ.HMAC_SHA1_96,
    "sha256": Integ.HMAC_SHA2_256_128,
    "sha2_256": Integ.HMAC_SHA2_256_128,
    "sha384": Integ.HMAC_SHA2_384_192,
    "sha2_384": Integ.HMAC_SHA2_384_192,
    "sha512": Integ.HMAC_SHA2_512_256,
    "sha2_512": Integ.HMAC_SHA2_512_256,
    "aesxcbc": Integ.AES_XCBC_96,
    "aescmac": Integ.AES_CMAC_96,
}

_PRFS = {
    "prfmd5": Prf.HMAC_MD5,
    "prfsha1": Prf.HMAC_SHA1,
    "prfsha256": Prf.HMAC_SHA2_256,
    "prfsha384": Prf.HMAC_SHA2_384,
    "prfsha512": Prf.HMAC_SHA2_512,
    "prfaesxcbc": Prf.AES128_XCBC,
    "prfaescmac": Prf.AES128_CMAC,
}

_KEY_EXCHANGES = {
    "modp1024": KeyExchangeMethod.MODP_1024,
    "modp1536": KeyExchangeMethod.MODP_1536,
    "modp2048": KeyExchangeMethod.MODP_2048,
    "modp3072": KeyExchangeMethod.MODP_3072,
    "modp4096": KeyExchangeMethod.MODP_4096,
    "modp6144": KeyExchangeMethod.MODP_6144,
    "modp8192": KeyExchangeMethod.MODP_8192,
    "modp1024s160": KeyExchangeMethod.MODP_1024_160,
    "modp2048s224": KeyExchangeMethod.MODP_2048_224,
    "modp2048s256": KeyExchangeMethod.MODP_2048_256,
    "ecp256": KeyExchangeMethod.ECP_256,
    "ecp384": KeyExchangeMethod.ECP_384,
    "ecp521": KeyExchangeMethod.ECP_521,
    "ecp256bp": KeyExchangeMethod.BRAINPOOL_256,
    "ecp384bp": KeyExchangeMethod.BRAINPOOL_384,
    "ecp512bp": KeyExchangeMethod.BRAINPOOL_512,
    "curve25519": KeyExchangeMethod.CURVE25519,
    "x25519": KeyExchangeMethod.CURVE25519,
    "curve448": KeyExchangeMethod.CURVE448,
    "x448": KeyExchangeMethod.CURVE448,
}

_SEQUENCE_NUMBERS = {"esn": Esn.ESN, "noesn": Esn.NO_ESN}

KEYWORDS: dict[str, Transform] = {
    **{name: Transform(TransformType.ENCR, *row) for name, row in _CIPHERS.items()},
    **{name: Transform(TransformType.INTEG, number) for name, number in _INTEGRITIES.items()},
    **{name: Transform(TransformType.PRF, number) for name, number in _PRFS.items()},
    **{name: Transform(TransformType.KE, number) for name, number in _KEY_EXCHANGES.items()},
    **{name: Transform(TransformType.ESN, number) for name, number in _SEQUENCE_NUMBERS.items()},
}

# The PRF of a proposal that names none is made of the hash function of its integrity algorithm.
PRF_OF_INTEGRITY: dict[int, Prf] = {
    Integ.HMAC_MD5_96: Prf.HMAC_MD5,
    Integ.HMAC_SHA1_96: Prf.HMAC_SHA1,
    Integ.HMAC_SHA2_256_128: Prf.HMAC_SHA2_256,
    Integ.HMAC_SHA2_384_192: Prf.HMAC_SHA2_384,
    Integ.HMAC_SHA2_512_256: Prf.HMAC_SHA2_512,
    Integ.AES_XCBC_96: Prf.AES128_XCBC,
    Integ.AES_CMAC_96: Prf.AES128_CMAC,
}

OPT_IN: dict[TransformType, frozenset[int]] = {
    TransformType.ENCR: frozenset[int](OPT_IN_ENCR),
    TransformType.INTEG: frozenset[int](OPT_IN_INTEG),
    TransformType.PRF: frozenset[int](OPT_IN_PRF),
    TransformType.KE: frozenset[int](OPT_IN_KE),
}


def is_weak(transform: Transform) -> bool:
    """Whether a connection must say `allow_weak` to use it."""
    return transform.id in OPT_IN.get(transform.type, frozenset())
