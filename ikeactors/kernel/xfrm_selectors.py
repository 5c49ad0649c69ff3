"""Traffic selectors as XFRM can express them: prefixes, and ports under a mask.

A range that is no prefix becomes several, and the policy several policies.
"""

from __future__ import annotations

import errno
import itertools
import struct
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from ikeactors.kernel.requests import Address, KernelRefusal
from ikeactors.wire.selectors import ANY_PORT, ICMP, ICMPV6, TrafficSelector

Network = IPv4Network | IPv6Network

# linux/socket.h, not of the host's C library: the kernel's numbers are meant.
AF_INET = 2
AF_INET6 = 10

# Ours: a policy that needs more XFRM policies than this is a configuration nobody means.
MAX_POLICIES_OF_ONE = 256

_SELECTOR = struct.Struct("=16s16s2s2s2s2sHBBB3xiI")
SELECTOR_OCTETS = _SELECTOR.size
ANY_SELECTOR = bytes(SELECTOR_OCTETS)

_PORT_MASK = 0xFFFF
_HIGHEST_CODE = 0xFF


class PortBlock(NamedTuple):
    """The ports that are `port` where the mask has ones."""

    port: int
    mask: int


_ANY_BLOCK = PortBlock(0, 0)


class XfrmSelector(NamedTuple):
    """What one XFRM policy or state can select."""

    source: Network
    destination: Network
    protocol: int
    source_ports: PortBlock
    destination_ports: PortBlock

    def octets(self) -> bytes:
        """A struct xfrm_selector."""
        return _SELECTOR.pack(
            self.destination.network_address.packed,
            self.source.network_address.packed,
            *_block_octets(self.destination_ports),
            *_block_octets(self.source_ports),
            family_of(self.source.network_address),
            self.destination.prefixlen,
            self.source.prefixlen,
            self.protocol,
            0,
            0,
        )


# What comes in and what is forwarded have the same selectors, and both are asked for twice.
@lru_cache(maxsize=64)
def xfrm_selectors(
    source: TrafficSelector, destination: TrafficSelector
) -> tuple[XfrmSelector, ...]:
    """The fewest XFRM selectors that make up a pair of ours."""
    protocol = source.protocol or destination.protocol
    pairs = itertools.product(source.networks(), destination.networks())
    ports = list(_port_blocks(protocol, source, destination))
    selectors = tuple(
        XfrmSelector(from_, to, protocol, *blocks)
        for (from_, to), blocks in itertools.islice(
            itertools.product(pairs, ports), MAX_POLICIES_OF_ONE + 1
        )
    )
    if len(selectors) > MAX_POLICIES_OF_ONE:
        text = f"{source} to {destination} needs more than {MAX_POLICIES_OF_ONE} XFRM policies"
        raise KernelRefusal(errno.EINVAL, text)
    return selectors


def read_host_selector(octets: bytes) -> tuple[TrafficSelector, TrafficSelector]:
    """The source and the destination of a packet, as the kernel tells them in a selector."""
    fields = _SELECTOR.unpack(octets)
    destination, source = (_address(one, fields[6]) for one in fields[:2])
    protocol = fields[9]
    to_port, from_port = (int.from_bytes(one, "big") for one in (fields[2], fields[4]))
    if protocol in (ICMP, ICMPV6):
        # For XFRM the type is the source port and the code the destination port.
        to_port = from_port = from_port << 8 | to_port
    has_ports = protocol in (ICMP, ICMPV6) or any(fields[3] + fields[5])
    from_ports, to_ports = ((one, one) if has_ports else ANY_PORT for one in (from_port, to_port))
    return (
        TrafficSelector(protocol, *from_ports, source, source),
        TrafficSelector(protocol, *to_ports, destination, destination),
    )


def _address(octets: bytes, family: int) -> Address:
    return IPv4Address(octets[:4]) if family == AF_INET else IPv6Address(octets)


def family_of(address: Address) -> int:
    """The address family's number."""
    return AF_INET if address.version == 4 else AF_INET6


def _port_blocks(
    protocol: int, source: TrafficSelector, destination: TrafficSelector
) -> Iterator[tuple[PortBlock, PortBlock]]:
    for selector in (source, destination):
        if selector.is_opaque:
            raise KernelRefusal(errno.EINVAL, f"XFRM has no selector for OPAQUE ports: {selector}")
    if protocol in (ICMP, ICMPV6):
        return _icmp_blocks(source, destination)
    return itertools.product(_blocks(*source.ports), _blocks(*destination.ports))


def _icmp_blocks(
    source: TrafficSelector, destination: TrafficSelector
) -> Iterator[tuple[PortBlock, PortBlock]]:
    """For XFRM the type is the source port and the code the destination port."""
    first = max(source.start_port, destination.start_port)
    last = min(source.end_port, destination.end_port)
    if (first, last) == ANY_PORT:
        yield _ANY_BLOCK, _ANY_BLOCK
        return
    for type_ in range(first >> 8, (last >> 8) + 1):
        lowest = first & _HIGHEST_CODE if type_ == first >> 8 else 0
        highest = last & _HIGHEST_CODE if type_ == last >> 8 else _HIGHEST_CODE
        any_code = (lowest, highest) == (0, _HIGHEST_CODE)
        for codes in [_ANY_BLOCK] if any_code else _blocks(lowest, highest):
            yield PortBlock(type_, _PORT_MASK), codes


def _blocks(first: int, last: int) -> list[PortBlock]:
    """The fewest aligned blocks that make up a range of ports."""
    blocks = []
    while first <= last:
        size = first & -first or _PORT_MASK + 1
        while first + size - 1 > last:
            size >>= 1
        blocks.append(PortBlock(first, _PORT_MASK + 1 - size))
        first += size
    return blocks


def _block_octets(block: PortBlock) -> tuple[bytes, bytes]:
    return block.port.to_bytes(2, "big"), block.mask.to_bytes(2, "big")
