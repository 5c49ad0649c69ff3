"""Finite-field Diffie-Hellman: the one module that knows which library does it.

`cryptography` has announced to drop it; while it is there it is the faster one, afterwards gmpy2
takes over. Both are a function from (group, base, exponent) to base^exponent mod p.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.utils import CryptographyDeprecationWarning

from ikeactors.crypto.modp_groups import Group
from ikeactors.errors import InvalidKeyExchange, UnsupportedAlgorithm
from ikeactors.iana import KeyExchangeMethod

try:
    from cryptography.hazmat.primitives.asymmetric import dh
except ImportError:  # pragma: no cover
    dh = None  # type: ignore[assignment]

try:
    import gmpy2
except ImportError:  # pragma: no cover
    gmpy2 = None

Power = Callable[[Group, int, int], int]

# Ours: random octets beyond the exponent, so that the reduction's bias is below 2^-64.
EXTRA_OCTETS = 8

# Ours: from here on an exchange takes longer (over a millisecond) than the hop to a worker costs.
SLOW_BITS = 3072


@dataclass(frozen=True, slots=True)
class ModpKey:
    """A private exponent and its public value."""

    public: bytes
    _group: Group = field(repr=False)
    _secret: int = field(repr=False)
    _power: Power = field(repr=False)

    def exchange(self, peer_public: bytes) -> bytes:
        """The common value, as long as the prime (RFC 7296 section 2.14)."""
        group = self._group
        if len(peer_public) != group.octets:
            raise InvalidKeyExchange("public value has the wrong length")
        value = int.from_bytes(peer_public, "big")
        if not 1 < value < group.prime - 1:
            raise InvalidKeyExchange("public value is out of range")
        if not _in_subgroup(group, value):
            raise InvalidKeyExchange("public value is not in the subgroup")
        return self._power(group, value, self._secret).to_bytes(group.octets, "big")


@dataclass(frozen=True, slots=True)
class Modp:
    """A finite-field group and the library that reckons in it."""

    group: Group
    power: Power = field(repr=False)

    @property
    def id(self) -> KeyExchangeMethod:
        return self.group.id

    @property
    def public_octets(self) -> int:
        return self.group.octets

    @property
    def secret_octets(self) -> int:
        return (self.group.exponent_bits + 7) // 8 + EXTRA_OCTETS

    @property
    def is_slow(self) -> bool:
        # The library tests an unknown prime each time, which takes longer than the exchange.
        unknown_prime = self.group.id == KeyExchangeMethod.MODP_1024
        return unknown_prime or self.group.octets * 8 >= SLOW_BITS

    def generate(self, seed: bytes) -> ModpKey:
        """The private exponent of these random octets (NIST SP 800-56A, 5.6.1.1.3)."""
        assert len(seed) == self.secret_octets
        group = self.group
        limit = min(1 << group.exponent_bits, group.subgroup_order or group.prime)
        secret = int.from_bytes(seed, "big") % (limit - 1) + 1
        public = self.power(group, group.generator, secret)
        return ModpKey(public.to_bytes(group.octets, "big"), group, secret, self.power)


def _in_subgroup(group: Group, value: int) -> bool:
    """The test for groups with small subgroups (RFC 6989 section 2.2); others need none."""
    order = group.subgroup_order
    return order is None or pow(value, order, group.prime) == 1


def power_by_cryptography(group: Group, base: int, exponent: int) -> int:
    """By OpenSSL, in constant time.

    A public value is asked for as if the generator were a peer's: what stands in for the key's own
    public value takes no part in the reckoning.
    """
    with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
        parameters = _parameters(group)
        own = dh.DHPrivateNumbers(exponent, dh.DHPublicNumbers(group.generator, parameters))
        peer = dh.DHPublicNumbers(base, parameters)
        shared = own.private_key().exchange(peer.public_key())
    return int.from_bytes(shared, "big")


def power_by_gmpy2(group: Group, base: int, exponent: int) -> int:
    """By GMP, in constant time."""
    return int(gmpy2.powmod_sec(base, exponent, group.prime))


@lru_cache(maxsize=16)
def _parameters(group: Group) -> dh.DHParameterNumbers:
    return dh.DHParameterNumbers(group.prime, group.generator)


def choose_backend(has_cryptography: bool, has_gmpy2: bool) -> Power | None:
    """The better of the libraries that are here."""
    if has_cryptography:
        return power_by_cryptography
    return power_by_gmpy2 if has_gmpy2 else None


BACKEND: Power | None = choose_backend(dh is not None, gmpy2 is not None)
"""What reckons unless a test says otherwise; `None` where no library is left."""


def modp_for(group: Group, backend: Power | None = BACKEND) -> Modp:
    """The method of this group, or `UnsupportedAlgorithm`."""
    if backend is None:
        raise UnsupportedAlgorithm(f"{group.id.name} needs a library: install the extra modp")
    return Modp(group, backend)
