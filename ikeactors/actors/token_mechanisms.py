"""By which mechanisms of PKCS #11 a token makes the signatures of IKE. Needs the extra `pkcs11`.

What a token hashes itself it may have to be sent in pieces, and cards are slow at it: where it can
sign a digest we hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import MGF, Attribute, Mechanism
from pkcs11.exceptions import AttributeTypeInvalid

from ikeactors.crypto.signature_schemes import HASH_WORDS, SCHEMES, KeyKind, SignatureScheme
from ikeactors.crypto.signatures import PublicKey, kind_of

# The specification's: what is before a digest in DER (RFC 8017 section 9.2).
_DIGEST_INFOS = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}
_HASHES = {
    "sha1": (Mechanism.SHA_1, MGF.SHA1),
    "sha256": (Mechanism.SHA256, MGF.SHA256),
    "sha384": (Mechanism.SHA384, MGF.SHA384),
    "sha512": (Mechanism.SHA512, MGF.SHA512),
}


@dataclass(frozen=True, slots=True)
class _Way:
    """A mechanism with its parameter, and what it is given of the octets."""

    mechanism: Mechanism
    prepare: Callable[[bytes], bytes] = bytes
    parameter: Any = None


def schemes_of(public: PublicKey, mechanisms: Collection[object]) -> tuple[SignatureScheme, ...]:
    """The ways to sign with a key that a token has mechanisms for."""
    kind = kind_of(public)
    ours = (one for one in SCHEMES if one.kind is kind)
    return tuple(one for one in ours if _way(one, mechanisms) is not None)


def sign_with(
    key: Any, mechanisms: Collection[object], scheme: SignatureScheme, octets: bytes, pin: str
) -> bytes | None:
    """The signature of a key on a token; None where it has no mechanism for it."""
    way = _way(scheme, mechanisms)
    if way is None:
        return None
    shown = {"pin": pin} if pin and _asks_each_time(key) else {}
    made: bytes = key.sign(
        way.prepare(octets), mechanism=way.mechanism, mechanism_param=way.parameter, **shown
    )
    if scheme.kind is not KeyKind.ECDSA:
        return made
    middle = len(made) // 2
    r, s = int.from_bytes(made[:middle], "big"), int.from_bytes(made[middle:], "big")
    return encode_dss_signature(r, s)


def _way(scheme: SignatureScheme, mechanisms: Collection[object]) -> _Way | None:
    return next((one for one in _ways(scheme) if one.mechanism in mechanisms), None)


def _ways(scheme: SignatureScheme) -> Iterator[_Way]:
    """The best first."""
    word = HASH_WORDS.get(scheme.hash, "")
    if scheme.kind is KeyKind.ED25519:
        yield _Way(Mechanism.EDDSA)
    elif scheme.kind is KeyKind.ED448:
        yield _Way(Mechanism.EDDSA, parameter=(False, None))
    elif not word:
        return
    elif scheme.kind is KeyKind.ECDSA:
        yield _Way(Mechanism.ECDSA, partial(_digest, word))
        yield _Way(Mechanism[f"ECDSA_{word.upper()}"])
    elif scheme.pss:
        parameter = (*_HASHES[word], hashlib.new(word).digest_size)
        yield _Way(Mechanism.RSA_PKCS_PSS, partial(_digest, word), parameter)
        yield _Way(Mechanism[f"{word.upper()}_RSA_PKCS_PSS"], parameter=parameter)
    else:
        yield _Way(Mechanism.RSA_PKCS, partial(_digest_info, word))
        yield _Way(Mechanism[f"{word.upper()}_RSA_PKCS"])


def _digest(word: str, octets: bytes) -> bytes:
    return hashlib.new(word, octets).digest()


def _digest_info(word: str, octets: bytes) -> bytes:
    return bytes.fromhex(_DIGEST_INFOS[word]) + _digest(word, octets)


def _asks_each_time(key: Any) -> bool:
    """Whether the PIN is to be shown for each signature, as cards for signatures have it."""
    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except AttributeTypeInvalid:
        return False
