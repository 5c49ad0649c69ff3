"""The ways to sign: a kind of key, a padding, a hash, and the name each has on the wire.

RFC 7427 names a way by an AlgorithmIdentifier in DER. There are few, so they are compared as
octets with a table and nothing a stranger sends is parsed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ikeactors.iana import SignatureHash


class KeyKind(enum.Enum):
    """What a key can do; the values are the words of the configuration."""

    RSA = "rsa"
    ECDSA = "ecdsa"
    ED25519 = "ed25519"
    ED448 = "ed448"
    MLDSA44 = "mldsa44"
    MLDSA65 = "mldsa65"
    MLDSA87 = "mldsa87"


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """One way to sign.

    `identifier` is the AlgorithmIdentifier we write, `accepted` the encodings we read: NULL
    parameters and none are both about (RFC 7427 section 3).
    """

    kind: KeyKind
    hash: SignatureHash
    identifier: bytes = field(repr=False)
    accepted: tuple[bytes, ...] = field(repr=False)
    pss: bool = False

    def __str__(self) -> str:
        name = f"{self.kind.value}/pss" if self.pss else self.kind.value
        if self.hash is SignatureHash.IDENTITY:
            return name
        return f"{name}-{HASH_WORDS[self.hash]}"


HASH_WORDS = {
    SignatureHash.SHA1: "sha1",
    SignatureHash.SHA2_256: "sha256",
    SignatureHash.SHA2_384: "sha384",
    SignatureHash.SHA2_512: "sha512",
}

_NULL = bytes.fromhex("0500")

# Object identifiers in DER, from RFC 8017, RFC 5758, RFC 8410, FIPS 180-4 and RFC 9881.
_RSA = {
    SignatureHash.SHA1: "06092a864886f70d010105",
    SignatureHash.SHA2_256: "06092a864886f70d01010b",
    SignatureHash.SHA2_384: "06092a864886f70d01010c",
    SignatureHash.SHA2_512: "06092a864886f70d01010d",
}
_ECDSA = {
    SignatureHash.SHA1: "06072a8648ce3d0401",
    SignatureHash.SHA2_256: "06082a8648ce3d040302",
    SignatureHash.SHA2_384: "06082a8648ce3d040303",
    SignatureHash.SHA2_512: "06082a8648ce3d040304",
}
_HASHES = {
    SignatureHash.SHA2_256: ("0609608648016503040201", 32),
    SignatureHash.SHA2_384: ("0609608648016503040202", 48),
    SignatureHash.SHA2_512: ("0609608648016503040203", 64),
}
_PURE = {
    KeyKind.ED25519: "06032b6570",
    KeyKind.ED448: "06032b6571",
    KeyKind.MLDSA44: "0609608648016503040311",
    KeyKind.MLDSA65: "0609608648016503040312",
    KeyKind.MLDSA87: "0609608648016503040313",
}
_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID = bytes.fromhex("06092a864886f70d010108")


def _tagged(tag: int, *parts: bytes) -> bytes:
    """DER with a short length, which all of these have."""
    body = b"".join(parts)
    assert len(body) < 0x80
    return bytes((tag, len(body))) + body


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, *parts)


def _pss_identifier(digest: SignatureHash, *, null: bool) -> bytes:
    oid, octets = _HASHES[digest]
    algorithm = _sequence(bytes.fromhex(oid), _NULL if null else b"")
    mask = _sequence(_MGF1_OID, algorithm)
    salt = _tagged(0x02, bytes((octets,)))
    parameters = _sequence(_tagged(0xA0, algorithm), _tagged(0xA1, mask), _tagged(0xA2, salt))
    return _sequence(_PSS_OID, parameters)


def _rsa(digest: SignatureHash) -> SignatureScheme:
    oid = bytes.fromhex(_RSA[digest])
    preferred = _sequence(oid, _NULL)
    return SignatureScheme(KeyKind.RSA, digest, preferred, (preferred, _sequence(oid)))


def _rsa_pss(digest: SignatureHash) -> SignatureScheme:
    """With MGF1 of the same hash and a salt as long as it (RFC 8017 section 9.1)."""
    preferred = _pss_identifier(digest, null=True)
    accepted = (preferred, _pss_identifier(digest, null=False))
    return SignatureScheme(KeyKind.RSA, digest, preferred, accepted, pss=True)


def _ecdsa(digest: SignatureHash) -> SignatureScheme:
    oid = bytes.fromhex(_ECDSA[digest])
    preferred = _sequence(oid)
    return SignatureScheme(KeyKind.ECDSA, digest, preferred, (preferred, _sequence(oid, _NULL)))


def _pure(kind: KeyKind) -> SignatureScheme:
    """Of a kind that takes the octets as they are (RFC 8420 section 2)."""
    identifier = _sequence(bytes.fromhex(_PURE[kind]))
    return SignatureScheme(kind, SignatureHash.IDENTITY, identifier, (identifier,))


# In order of preference within a kind: PSS before PKCS #1 v1.5, SHA-1 last.
SCHEMES = (
    *(_rsa_pss(one) for one in _HASHES),
    *(_rsa(one) for one in _HASHES),
    *(_ecdsa(one) for one in _HASHES),
    *(_pure(kind) for kind in _PURE),
    _rsa(SignatureHash.SHA1),
    _ecdsa(SignatureHash.SHA1),
)

BY_IDENTIFIER = {octets: scheme for scheme in SCHEMES for octets in scheme.accepted}
