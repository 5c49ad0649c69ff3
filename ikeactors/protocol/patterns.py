"""What stands in a configuration for addresses, identities and traffic that are not known yet."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity
from ikeactors.wire.selectors import TrafficSelector

_CASE_INSENSITIVE = frozenset({IdType.FQDN, IdType.RFC822_ADDR})

Address = IPv4Address | IPv6Address
Owner = tuple[IdType, bytes]


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


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """An identity, or a pattern of them: "%any", or "*.example.org" and "*@example.org".

    `suffix` is what must follow the asterisk; with `identity` None and no suffix all match.
    """

    identity: Identity | None = None
    suffix: Identity | None = None

    @property
    def owner(self) -> Owner | None:
        """What finds the one identity this names; None where it may be another."""
        return None if self.identity is None else owner_of(self.identity)

    def quality(self, identity: Identity) -> int:
        """How well `identity` matches: 0 not at all, 1 anything, 2 by pattern, 3 exactly."""
        if self.identity is not None:
            return 3 if _is_same(self.identity, identity) else 0
        if self.suffix is None:
            return 1
        if identity.type != self.suffix.type:
            return 0
        return 2 if identity.data.lower().endswith(self.suffix.data.lower()) else 0


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
    return owner_of(configured) == owner_of(identity)


def owner_of(identity: Identity) -> Owner:
    """Equal for identities that are the same."""
    folded = identity.type in _CASE_INSENSITIVE
    return identity.type, identity.data.lower() if folded else identity.data
