"""Key exchange methods (transform type 4): random octets make a private key.

A method is deterministic: the same octets always make the same private key. Every public value a
peer sends goes through the tests of RFC 6989 in the modules of its family.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from ikeactors.crypto.curves import CURVES
from ikeactors.crypto.modp import modp_for
from ikeactors.crypto.modp_groups import group_for
from ikeactors.errors import UnsupportedAlgorithm
from ikeactors.iana import KeyExchangeMethod


class PrivateKey(Protocol):
    """Our half of one exchange."""

    @property
    def public(self) -> bytes:
        """The data of our KE payload."""

    def exchange(self, peer_public: bytes) -> bytes:
        """The shared secret, or `InvalidKeyExchange`."""


class Method(Protocol):
    """One key exchange method."""

    @property
    def id(self) -> KeyExchangeMethod: ...

    @property
    def public_octets(self) -> int:
        """Of a public value on the wire."""

    @property
    def secret_octets(self) -> int:
        """Of the random seed `generate` takes."""

    @property
    def is_slow(self) -> bool:
        """Whether an exchange is worth the hop to a worker."""

    def generate(self, seed: bytes) -> PrivateKey:
        """The private key of these random octets."""


@lru_cache(maxsize=64)
def key_exchange_for(method: KeyExchangeMethod) -> Method:
    """The method of this number, or `UnsupportedAlgorithm`."""
    curve = _CURVES.get(method)
    if curve is not None:
        return curve
    group = group_for(method)
    if group is None:
        raise UnsupportedAlgorithm(f"key exchange method {method.name} is not supported")
    return modp_for(group)


_CURVES = {curve.id: curve for curve in CURVES}

OPT_IN_KE = frozenset(
    {
        KeyExchangeMethod.MODP_1024,
        KeyExchangeMethod.MODP_1536,
        KeyExchangeMethod.MODP_1024_160,
        KeyExchangeMethod.MODP_2048_224,
        KeyExchangeMethod.MODP_2048_256,
    }
)
"""What a configuration must ask for by name (RFC 8247 section 2.4)."""
