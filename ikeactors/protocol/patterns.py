"""What stands in a configuration for addresses, identities and traffic that are not known yet."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.protocol.name_patterns import NamePattern
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import comparable_name
from ikeactors.wire.selectors import TrafficSelector

_CASE_INSENSITIVE = frozenset({IdType.FQDN, IdType.RFC822_ADDR})
_NAMED = frozenset({IdType.DER_ASN1_DN, IdType.DER_ASN1_GN})

Address = IPv4Address | IPv6Address
Owner = tuple[IdType, Hashable]

# Ours: parsed names that are kept; a peer's is held against each connection and secret.
_PARSED = 256


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """Addresses of an end: a network, or an inclusive range. `%any` is one network per family."""

    first: Address
    last: Address

    @property
    def single(self) -> Address | None:
        """The one address this names, or None."""
        return self.first if self.first == self.last else None

    def matches(self, address: Address) -> bool:
        """Whether `address` is one of these."""
        if address.version != self.first.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        if int(self.first) == 0 and int(self.last) == 2**self.last.max_prefixlen - 1:
            return "%any" if self.first.version == 4 else "%any6"
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """An identity, or a pattern of them: "%any", or "*.example.org" and "*@example.org".

    `suffix` is what must follow the asterisk, `among` are distinguished names or addresses; where
    nothing is said all match.
    """

    identity: Identity | None = None
    suffix: Identity | None = None
    among: NamePattern | AddressPattern | None = None

    @property
    def owner(self) -> Owner | None:
        """What finds the one identity this names; None where it may be another."""
        return None if self.identity is None else owner_of(self.identity)

    def quality(self, identity: Identity) -> int:
        """How well `identity` matches: 0 not at all, 1 anything, 2 by pattern, 3 exactly."""
        if self.identity is not None:
            return 3 if _is_same(self.identity, identity) else 0
        if self.among is not None:
            return 2 if _is_among(self.among, identity) else 0
        if self.suffix is None:
            return 1
        if identity.type != self.suffix.type:
            return 0
        return 2 if identity.data.lower().endswith(self.suffix.data.lower()) else 0

    def __str__(self) -> str:
        if self.suffix is not None:
            return f"*{self.suffix.data.decode('ascii')}"
        return str(self.identity or self.among or "%any")


ANYBODY = IdentityPattern()


@dataclass(frozen=True, slots=True)
class SelectorTemplate:
    """A traffic selector, or with `selector` None the outer address ("dynamic")."""

    selector: TrafficSelector | None = None
    protocol: int = 0
    start_port: int = 0
    end_port: int = 65535

    def resolve(self, address: Address) -> TrafficSelector:
        """The selector itself, or this address with the template's protocol and ports."""
        if self.selector is not None:
            return self.selector
        return TrafficSelector(self.protocol, self.start_port, self.end_port, address, address)


def _is_same(configured: Identity, identity: Identity) -> bool:
    return configured == identity or owner_of(configured) == owner_of(identity)


def _is_among(pattern: NamePattern | AddressPattern, identity: Identity) -> bool:
    if isinstance(pattern, NamePattern):
        return pattern.matches(identity)
    return identity.is_address and pattern.matches(ip_address(identity.data))


def owner_of(identity: Identity) -> Owner:
    """Equal for identities that are the same."""
    if identity.type in _NAMED:
        return _comparable(identity)
    folded = identity.type in _CASE_INSENSITIVE
    return identity.type, identity.data.lower() if folded else identity.data


@lru_cache(_PARSED)
def _comparable(identity: Identity) -> Owner:
    """Distinguished names whatever their kinds of strings; what cannot be read is like itself."""
    named = identity.named
    if named.type is not IdType.DER_ASN1_DN:
        return identity.type, identity.data if named is identity else owner_of(named)
    try:
        return identity.type, comparable_name(named.data)
    except InvalidSyntax:
        return identity.type, identity.data
