"""Packets, what flow they are of, and which selectors take them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.kernel.flows import NO_PORTS, Flow, Matcher, flow_of
from ikeactors.wire.selectors import OPAQUE_PORT, TrafficSelector
from tests.fakes.sas import packet, selector

SOURCE = int(ip_address("fd01::1"))
DESTINATION = int(ip_address("fd02::1"))


def ipv6(next_header: int, payload: bytes) -> bytes:
    """An IPv6 packet."""
    whole = packet("fd01::1", "fd02::1", protocol=next_header)
    return whole[:40] + payload


PORTS = bytes.fromhex("0050c000")
FRAGMENT_FIRST = bytes((17, 0, 0, 1, 0, 0, 0, 9))
FRAGMENT_LATER = bytes((17, 0, 0, 8, 0, 0, 0, 9))


@pytest.mark.parametrize(
    ("description", "octets", "flow"),
    [
        ("UDP", ipv6(17, PORTS), (17, 80, 49152)),
        (
            "TCP behind hop-by-hop options",
            ipv6(0, bytes((6, 0)) + bytes(6) + PORTS),
            (6, 80, 49152),
        ),
        ("a first fragment", ipv6(44, FRAGMENT_FIRST + PORTS), (17, 80, 49152)),
        ("a later fragment", ipv6(44, FRAGMENT_LATER + PORTS), (17, NO_PORTS, NO_PORTS)),
        ("an echo request", ipv6(58, bytes((128, 0, 0, 0))), (58, 0x8000, 0x8000)),
        ("no next header", ipv6(59, b""), (59, NO_PORTS, NO_PORTS)),
        ("UDP cut short", ipv6(17, PORTS[:3]), (17, NO_PORTS, NO_PORTS)),
    ],
)
def test_an_ipv6_packet_is_of_a_flow(
    description: str, octets: bytes, flow: tuple[int, int, int]
) -> None:
    assert flow_of(octets) == Flow(6, SOURCE, DESTINATION, *flow)


def test_an_ipv4_packet_with_options_has_its_ports_behind_them() -> None:
    plain = packet(ports=(1234, 80))
    with_options = b"\x46" + plain[1:20] + bytes(4) + plain[20:]
    assert flow_of(with_options) == flow_of(plain)


def test_a_later_fragment_of_ipv4_has_no_ports() -> None:
    plain = packet()
    flow = flow_of(plain[:6] + b"\x00\x10" + plain[8:])
    assert flow is not None
    assert flow.source_port == flow.destination_port == NO_PORTS


@given(st.binary(max_size=100))
def test_any_octets_are_a_flow_or_none(octets: bytes) -> None:
    flow_of(octets)
    flow_of(b"\x60" + octets)


def takes(source: TrafficSelector, octets: bytes) -> bool:
    """Whether a selector to anywhere takes a packet."""
    flow = flow_of(octets)
    assert flow is not None
    return Matcher.of(source, selector("0.0.0.0/0")).takes(flow)


def test_selectors_look_at_address_protocol_and_ports() -> None:
    """(RFC 4301 section 4.4.1.1)"""
    tcp = selector("10.1.0.0/24", 6, (80, 90))
    assert takes(tcp, packet(protocol=6, ports=(85, 9)))
    assert not takes(tcp, packet(protocol=6, ports=(91, 9)))
    assert not takes(tcp, packet(protocol=17, ports=(85, 9)))
    assert not takes(tcp, packet("10.1.1.1", protocol=6, ports=(85, 9)))
    assert not takes(selector("::/0"), packet())


def test_icmp_is_selected_by_type_and_code() -> None:
    echo = TrafficSelector.of_icmp(selector("0.0.0.0/0").networks()[0], 8)
    assert takes(echo, packet(protocol=1, ports=(0x0800, 0)))
    assert not takes(echo, packet(protocol=1, ports=(0x0000, 0)))


def test_what_has_no_ports_is_taken_by_any_and_by_opaque_only() -> None:
    later = packet()[:6] + b"\x00\x10" + packet()[8:]
    assert takes(selector("10.1.0.0/24"), later)
    assert takes(selector("10.1.0.0/24", 17, OPAQUE_PORT), later)
    assert not takes(selector("10.1.0.0/24", 17, (0, 65534)), later)
    assert not takes(selector("10.1.0.0/24", 17, OPAQUE_PORT), packet())
