"""What a packet is, as far as selectors can tell: addresses, protocol, ports."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ikeactors.wire.selectors import ANY_PORT, ICMP, ICMPV6, TrafficSelector

# The ports of a fragment behind the first, and of protocols that have none.
NO_PORTS = -1

# Ours: a packet with more extension headers than this is not for a selector with ports.
MAX_EXTENSION_HEADERS = 8

_IPV4_HEADER = 20
_IPV6_HEADER = 40
_FRAGMENT = 44
_FRAGMENT_OFFSET = 0x1FFF


class Flow(NamedTuple):
    """The five things selectors look at; addresses are numbers.

    For ICMP both ports are the type and the code in one number (RFC 4301 section 4.4.1.1).
    """

    version: int
    source: int
    destination: int
    protocol: int
    source_port: int
    destination_port: int


class Matcher(NamedTuple):
    """A pair of selectors as numbers, to hold a flow against."""

    version: int
    sources: tuple[int, int]
    destinations: tuple[int, int]
    protocol: int
    source_ports: tuple[int, int]
    destination_ports: tuple[int, int]

    @classmethod
    def of(cls, source: TrafficSelector, destination: TrafficSelector) -> Matcher:
        """What takes packets from `source` to `destination`."""
        return cls(
            source.start.version,
            (int(source.start), int(source.end)),
            (int(destination.start), int(destination.end)),
            source.protocol or destination.protocol,
            _ports(source),
            _ports(destination),
        )

    def takes(self, flow: Flow) -> bool:
        """Whether the flow is from one selector to the other."""
        return (
            flow.version == self.version
            and self.sources[0] <= flow.source <= self.sources[1]
            and self.destinations[0] <= flow.destination <= self.destinations[1]
            and self.protocol in (0, flow.protocol)
            and self.source_ports[0] <= flow.source_port <= self.source_ports[1]
            and self.destination_ports[0] <= flow.destination_port <= self.destination_ports[1]
        )


def selectors_of(flow: Flow) -> tuple[TrafficSelector, TrafficSelector]:
    """Selectors that fit this flow alone, of its source and of its destination."""
    make = IPv4Address if flow.version == 4 else IPv6Address
    source, destination = make(flow.source), make(flow.destination)
    from_ports, to_ports = _port_range(flow.source_port), _port_range(flow.destination_port)
    return (
        TrafficSelector(flow.protocol, *from_ports, source, source),
        TrafficSelector(flow.protocol, *to_ports, destination, destination),
    )


def _port_range(port: int) -> tuple[int, int]:
    return ANY_PORT if port == NO_PORTS else (port, port)


def flow_of(packet: bytes) -> Flow | None:
    """The flow an IP packet is of; None where it is no whole IP packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= _IPV4_HEADER:
        return _ipv4_flow(packet)
    if version == 6 and len(packet) >= _IPV6_HEADER:
        return _ipv6_flow(packet)
    return None


def _ipv4_flow(packet: bytes) -> Flow:
    offset = int.from_bytes(packet[6:8], "big") & _FRAGMENT_OFFSET
    protocol = packet[9]
    payload_at = (packet[0] & 0xF) * 4
    ports = (NO_PORTS, NO_PORTS) if offset else _ports_at(packet, protocol, payload_at)
    source, destination = packet[12:16], packet[16:20]
    return Flow(4, int.from_bytes(source, "big"), int.from_bytes(destination, "big"),
                protocol, *ports)  # fmt: skip


def _ipv6_flow(packet: bytes) -> Flow:
    protocol, payload_at, is_later_fragment = _upper_layer(packet)
    ports = _ports_at(packet, protocol, payload_at)
    if is_later_fragment:
        ports = (NO_PORTS, NO_PORTS)
    source, destination = packet[8:24], packet[24:40]
    return Flow(6, int.from_bytes(source, "big"), int.from_bytes(destination, "big"),
                protocol, *ports)  # fmt: skip


def _upper_layer(packet: bytes) -> tuple[int, int, bool]:
    """The protocol behind the extension headers, where it begins, and if it is a later fragment."""
    protocol, at = packet[6], _IPV6_HEADER
    for _ in range(MAX_EXTENSION_HEADERS):
        if protocol not in _EXTENSION_HEADERS or len(packet) < at + 8:
            break
        if protocol == _FRAGMENT:
            offset = int.from_bytes(packet[at + 2 : at + 4], "big") >> 3
            protocol, at = packet[at], at + 8
            if offset:
                return protocol, at, True
        else:
            protocol, at = packet[at], at + 8 * (packet[at + 1] + 1)
    return protocol, at, False


def _ports_at(packet: bytes, protocol: int, at: int) -> tuple[int, int]:
    if protocol in _WITH_PORTS and len(packet) >= at + 4:
        ports = packet[at : at + 4]
        return ports[0] << 8 | ports[1], ports[2] << 8 | ports[3]
    if protocol in _WITH_TYPES and len(packet) >= at + 2:
        type_and_code = packet[at] << 8 | packet[at + 1]
        return type_and_code, type_and_code
    return NO_PORTS, NO_PORTS


def _ports(selector: TrafficSelector) -> tuple[int, int]:
    """Any port takes in what has none; OPAQUE is only what has none."""
    if selector.is_opaque:
        return NO_PORTS, NO_PORTS
    if selector.ports == ANY_PORT:
        return NO_PORTS, selector.end_port
    return selector.ports


_EXTENSION_HEADERS = frozenset({0, 43, _FRAGMENT, 60, 135, 139, 140})
_WITH_PORTS = frozenset({6, 17, 33, 132, 136})
_WITH_TYPES = frozenset({ICMP, ICMPV6})
