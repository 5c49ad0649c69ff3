"""Traffic selectors (RFC 7296 section 3.13) and their arithmetic, which narrowing is made of."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    summarize_address_range,
)

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import TsType
from ikeactors.quick import quick

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Ports = tuple[int, int]

ANY_PROTOCOL = 0
ANY_PORT: Ports = (0, 65535)
OPAQUE_PORT: Ports = (65535, 0)
ICMP = 1
ICMPV6 = 58
MOBILITY_HEADER = 135

# The count is one octet.
MAX_SELECTORS = 255
# Some 200 octets each.
_CACHED_ADDRESSES = 4096

_COUNT = struct.Struct("!B3x")
_SELECTOR = struct.Struct("!BBHHH")
_HEAD = 4


@quick
class TrafficSelector:
    """A protocol, a range of ports and a range of addresses of one family.

    For ICMP and ICMPv6 a "port" is the type and the code in one number, for the mobility header it
    is the type in the high octet (RFC 7296 section 3.13.1).
    """

    protocol: int
    start_port: int
    end_port: int
    start: Address
    end: Address

    @classmethod
    def of_network(
        cls, network: Network, protocol: int = ANY_PROTOCOL, ports: Ports = ANY_PORT
    ) -> TrafficSelector:
        """All addresses of a network."""
        return cls(protocol, *ports, network[0], network[-1])

    @classmethod
    def of_icmp(cls, network: Network, kind: int, code: int | None = None) -> TrafficSelector:
        """One type of ICMP, or of ICMPv6 where the network is one of IPv6, with one code or all."""
        protocol = ICMP if network.version == 4 else ICMPV6
        first = kind << 8 | (code or 0)
        return cls.of_network(network, protocol, (first, first | 0xFF if code is None else first))

    def __hash__(self) -> int:
        # An address hashes its number as text; policies are looked up by this, and few begin alike.
        return hash((self.start_port, int(self.start)))

    @property
    def type(self) -> TsType:
        """The type that the family of the addresses makes it."""
        return TsType.IPV4_ADDR_RANGE if self.start.version == 4 else TsType.IPV6_ADDR_RANGE

    @property
    def ports(self) -> Ports:
        """The first and the last port."""
        return (self.start_port, self.end_port)

    @property
    def is_opaque(self) -> bool:
        """Whether this is for traffic whose ports cannot be seen."""
        return self.ports == OPAQUE_PORT

    def contains(self, other: TrafficSelector) -> bool:
        """Whether all that `other` selects is selected here."""
        return self.intersect(other) == other

    def intersect(self, other: TrafficSelector) -> TrafficSelector | None:
        """What both select, if there is anything."""
        if self == other:
            return other
        if self.start.version != other.start.version:
            return None
        if self.protocol != other.protocol and self.protocol and other.protocol:
            return None
        start = self.start if int(self.start) >= int(other.start) else other.start
        end = self.end if int(self.end) <= int(other.end) else other.end
        if int(start) > int(end):
            return None
        ports = _common_ports(self.ports, other.ports)
        if ports is None:
            return None
        return TrafficSelector(self.protocol or other.protocol, *ports, start, end)

    def networks(self) -> tuple[Network, ...]:
        """The fewest networks that make up the range."""
        return tuple(_summarize(self.start, self.end))

    def __str__(self) -> str:
        return f"{self._addresses()}{self._upper_layer()}"

    def _addresses(self) -> str:
        size = int(self.end) - int(self.start) + 1
        if size & (size - 1) or int(self.start) % size:
            return f"{self.start}..{self.end}"
        return f"{self.start}/{self.start.max_prefixlen - size.bit_length() + 1}"

    def _upper_layer(self) -> str:
        if self.protocol == ANY_PROTOCOL and self.ports == ANY_PORT:
            return ""
        protocol = PROTOCOL_NAMES.get(self.protocol, str(self.protocol))
        if self.ports == ANY_PORT:
            return f"[{protocol}]"
        return f"[{protocol}/{self._ports()}]"

    def _ports(self) -> str:
        if self.is_opaque:
            return "opaque"
        first, last = (_port_text(self.protocol, port) for port in self.ports)
        return first if first == last else f"{first}-{last}"


@dataclass(frozen=True, slots=True)
class UnknownSelector:
    """A selector of a type that is not ours; `data` is all behind its length."""

    type: TsType
    data: bytes

    def __str__(self) -> str:
        return f"?({self.type:d})"


Selector = TrafficSelector | UnknownSelector


def read_selectors(octets: bytes) -> tuple[Selector, ...]:
    """The selectors in the body of a TSi or TSr payload: at least one."""
    if len(octets) < _COUNT.size or octets[0] == 0:
        raise InvalidSyntax("no traffic selectors")
    selectors = []
    at = _COUNT.size
    for _ in range(octets[0]):
        if len(octets) - at < _HEAD:
            raise InvalidSyntax("fewer traffic selectors than counted")
        length = octets[at + 2] << 8 | octets[at + 3]
        if not _HEAD <= length <= len(octets) - at:
            raise InvalidSyntax("the length of a traffic selector is wrong")
        selectors.append(_read_selector(octets, at, length))
        at += length
    if at != len(octets):
        raise InvalidSyntax("more traffic selectors than counted")
    return tuple(selectors)


def write_selectors(selectors: Iterable[Selector]) -> bytes:
    """The body of a TSi or TSr payload."""
    written = [_write_selector(selector) for selector in selectors]
    return _COUNT.pack(len(written)) + b"".join(written)


def _read_selector(octets: bytes, at: int, length: int) -> Selector:
    address_length = _ADDRESS_LENGTHS.get(octets[at])
    if address_length is None:
        return UnknownSelector(TsType(octets[at]), octets[at + _HEAD : at + length])
    if length != _SELECTOR.size + 2 * address_length:
        raise InvalidSyntax("the length of a traffic selector is wrong for its type")
    _, protocol, _, start_port, end_port = _SELECTOR.unpack_from(octets, at)
    middle = at + length - address_length
    start, end = octets[at + _SELECTOR.size : middle], octets[middle : at + length]
    if start > end:
        raise InvalidSyntax("a range of addresses is reversed")
    if start_port > end_port and (start_port, end_port) != OPAQUE_PORT:
        raise InvalidSyntax("a range of ports is reversed")
    return TrafficSelector(protocol, start_port, end_port, _address(start), _address(end))


def _write_selector(selector: Selector) -> bytes:
    if isinstance(selector, UnknownSelector):
        head = struct.pack("!BxH", selector.type, _HEAD + len(selector.data))
        return head + selector.data
    addresses = selector.start.packed + selector.end.packed
    head = _SELECTOR.pack(
        selector.type,
        selector.protocol,
        _SELECTOR.size + len(addresses),
        selector.start_port,
        selector.end_port,
    )
    return head + addresses


# The networks of a router's peers are few, or begin and end as others do.
@lru_cache(maxsize=_CACHED_ADDRESSES)
def _address(packed: bytes) -> Address:
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


def _summarize(start: Address, end: Address) -> Iterable[Network]:
    first, size = int(start), int(end) - int(start) + 1
    if not size & (size - 1) and not first % size:
        # It is one network, which nearly all are, and to find the fewest takes its time.
        length = start.max_prefixlen - size.bit_length() + 1
        made = IPv4Network if start.version == 4 else IPv6Network
        return (made((first, length)),)
    if isinstance(start, IPv4Address) and isinstance(end, IPv4Address):
        return summarize_address_range(start, end)
    assert isinstance(start, IPv6Address)
    assert isinstance(end, IPv6Address)
    return summarize_address_range(start, end)


def _common_ports(ours: Ports, theirs: Ports) -> Ports | None:
    """What two ranges share; only any port takes in OPAQUE (RFC 4301 section 4.4.1.1)."""
    if ours in (theirs, ANY_PORT):
        return theirs
    if theirs == ANY_PORT:
        return ours
    first, last = max(ours[0], theirs[0]), min(ours[1], theirs[1])
    return (first, last) if first <= last and OPAQUE_PORT not in (ours, theirs) else None


def _port_text(protocol: int, port: int) -> str:
    if protocol in _TYPE_AND_CODE:
        return f"{port >> 8}:{port & 0xFF}"
    return str(port)


_ADDRESS_LENGTHS: dict[int, int] = {TsType.IPV4_ADDR_RANGE: 4, TsType.IPV6_ADDR_RANGE: 16}

_TYPE_AND_CODE = frozenset({ICMP, ICMPV6, MOBILITY_HEADER})

PROTOCOL_NAMES: dict[int, str] = {
    1: "icmp",
    2: "igmp",
    4: "ipencap",
    6: "tcp",
    17: "udp",
    41: "ipv6",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "ipv6-icmp",
    89: "ospf",
    112: "vrrp",
    115: "l2tp",
    132: "sctp",
    135: "mobility-header",
    136: "udplite",
}
