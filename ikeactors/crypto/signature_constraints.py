"""What an operator demands of keys and signatures: "pubkey", "rsa-3072-sha256", "ecdsa-ed25519"."""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.crypto.signature_schemes import HASH_WORDS, KeyKind, SignatureScheme
from ikeactors.crypto.signatures import PrivateKey, PublicKey, kind_of, strength_of
from ikeactors.iana import SignatureHash

_HASHES = {word: digest for digest, word in HASH_WORDS.items()}
_PADDINGS = {"rsa/pss": True, "rsa/pkcs1": False}
_ANYTHING = "pubkey"
_IKE_ONLY = "ike:"


@dataclass(frozen=True, slots=True)
class KeyDemand:
    """A kind of key, its least strength in bits, and for RSA the one padding that will do."""

    kind: KeyKind
    strength: int = 0
    pss: bool | None = None

    def allows(self, kind: KeyKind, strength: int) -> bool:
        """Whether a key is of this kind and strong enough."""
        return kind is self.kind and strength >= self.strength

    def allows_scheme(self, scheme: SignatureScheme) -> bool:
        """Whether a key of this kind may sign this way."""
        return scheme.kind is self.kind and self.pss in (None, scheme.pss)

    def __str__(self) -> str:
        words = {pss: word for word, pss in _PADDINGS.items()}
        name = self.kind.value if self.pss is None else words[self.pss]
        return f"{name}-{self.strength}" if self.strength else name


@dataclass(frozen=True, slots=True)
class SignatureConstraint:
    """Kinds of keys and hashes that will do; none named means all, but SHA-1 only by name.

    `ike_only` says that the authorities' keys and signatures are not meant.
    """

    keys: tuple[KeyDemand, ...] = ()
    hashes: tuple[SignatureHash, ...] = ()
    ike_only: bool = False

    @classmethod
    def from_text(cls, text: str) -> SignatureConstraint:
        """From strongSwan's words, separated by "-". ValueError says what is wrong."""
        keys: list[KeyDemand] = []
        hashes: list[SignatureHash] = []
        lower = text.lower()
        for word in lower.removeprefix(_IKE_ONLY).split("-"):
            if word in _HASHES:
                hashes.append(_HASHES[word])
            elif word.isdecimal():
                keys[-1:] = [_with_strength(keys[-1:], word)]
            elif word != _ANYTHING:
                keys.append(_key_demand(word))
        return cls(tuple(keys), tuple(hashes), lower.startswith(_IKE_ONLY))

    def permits_key(self, key: PublicKey | PrivateKey) -> bool:
        """Whether this key may be used."""
        kind, strength = kind_of(key), strength_of(key)
        return not self.keys or any(one.allows(kind, strength) for one in self.keys)

    def permits(self, scheme: SignatureScheme) -> bool:
        """Whether a key may sign this way."""
        if self.keys and not any(one.allows_scheme(scheme) for one in self.keys):
            return False
        if scheme.hash is SignatureHash.IDENTITY:
            return True
        if not self.hashes:
            return scheme.hash is not SignatureHash.SHA1
        return scheme.hash in self.hashes

    def announced(self) -> tuple[SignatureHash, ...]:
        """What SIGNATURE_HASH_ALGORITHMS says we take (RFC 7427 section 4)."""
        hashes = self.hashes or tuple(one for one in _HASHES.values() if one is not _SHA1)
        return (*hashes, SignatureHash.IDENTITY)

    def __str__(self) -> str:
        words = [*map(str, self.keys), *(HASH_WORDS[one] for one in self.hashes)]
        text = "-".join(words if self.keys else (_ANYTHING, *words))
        return f"{_IKE_ONLY}{text}" if self.ike_only else text


ANY_SIGNATURE = SignatureConstraint()

_SHA1 = SignatureHash.SHA1


def _key_demand(word: str) -> KeyDemand:
    if word in _PADDINGS:
        return KeyDemand(KeyKind.RSA, pss=_PADDINGS[word])
    try:
        return KeyDemand(KeyKind(word))
    except ValueError:
        known = ", ".join((_ANYTHING, *(kind.value for kind in KeyKind), *_PADDINGS, *_HASHES))
        raise ValueError(f"{word!r} is none of {known}, or a strength in bits") from None


def _with_strength(last: list[KeyDemand], word: str) -> KeyDemand:
    if not last or last[0].kind not in (KeyKind.RSA, KeyKind.ECDSA):
        raise ValueError(f"the strength {word} stands behind rsa or ecdsa only")
    return KeyDemand(last[0].kind, int(word), last[0].pss)
