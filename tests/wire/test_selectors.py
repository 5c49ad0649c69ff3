"""Traffic selectors and their arithmetic."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import TsType
from ikeactors.wire.selectors import (
    OPAQUE_PORT,
    TrafficSelector,
    UnknownSelector,
    read_selectors,
    write_selectors,
)
from tests.wire.strategies import selector_lists, traffic_selectors

NET = ip_network("10.1.0.0/16")
NET6 = ip_network("2001:db8::/32")


def net(text: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    """The selector of a network."""
    return TrafficSelector.of_network(ip_network(text), protocol, ports)


TABLE = [
    ("a network", (net("10.1.0.0/16"),), "01000000 07000010 0000ffff 0a010000 0a01ffff"),
    (
        "TCP to one port, and IPv6",
        (net("10.0.0.1/32", 6, (80, 80)), net("2001:db8::/32")),
        "02000000 07060010 00500050 0a000001 0a000001"
        "08000028 0000ffff 20010db8000000000000000000000000 20010db8ffffffffffffffffffffffff",
    ),
    (
        "opaque ports",
        (net("0.0.0.0/0", 17, OPAQUE_PORT),),
        "01000000 07110010 ffff0000 00000000 ffffffff",
    ),
    ("an unknown type", (UnknownSelector(TsType.SECLABEL, b"ab"),), "01000000 0a000006 6162"),
]


@pytest.mark.parametrize(("description", "value", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_selectors_are_read_and_written(
    description: str, value: tuple[TrafficSelector, ...], octets: str
) -> None:
    assert read_selectors(bytes.fromhex(octets)) == value
    assert write_selectors(value) == bytes.fromhex(octets)


BAD = [
    ("nothing", ""),
    ("a count cut off", "010000"),
    ("count 0", "00000000"),
    ("count 0 with a selector", "00000000 07000010 0000ffff 0a010000 0a01ffff"),
    ("fewer than counted", "02000000 07000010 0000ffff 0a010000 0a01ffff"),
    ("more than counted", "01000000 07000010 0000ffff 0a010000 0a01ffff 07"),
    ("length 0", "01000000 07000000 0000ffff 0a010000 0a01ffff"),
    ("length 7", "01000000 07000007 0000ff"),
    ("length 17", "01000000 07000011 0000ffff 0a010000 0a01ffff ff"),
    ("past the end", "01000000 07000010 0000ffff 0a010000 0a01ff"),
    ("IPv6 with IPv4's length", "01000000 08000010 0000ffff 0a010000 0a01ffff"),
    ("IPv4 with IPv6's length", "01000000 07000028 0000ffff" + "00" * 32),
    ("addresses reversed", "01000000 07000010 0000ffff 0a010001 0a010000"),
    ("ports reversed", "01000000 07060010 00510050 0a010000 0a01ffff"),
]


@pytest.mark.parametrize(("description", "octets"), BAD, ids=[row[0] for row in BAD])
def test_malformed_selectors_are_invalid(description: str, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_selectors(bytes.fromhex(octets))


def test_255_selectors_are_read() -> None:
    selectors = (net("10.1.0.0/16"),) * 255
    assert read_selectors(write_selectors(selectors)) == selectors


INTERSECTIONS = [
    (net("10.0.0.0/8"), net("10.1.0.0/16"), net("10.1.0.0/16")),
    (net("10.0.0.0/8", 6), net("10.1.0.0/16", 0, (80, 80)), net("10.1.0.0/16", 6, (80, 80))),
    (net("10.0.0.0/8", 6), net("10.0.0.0/8", 17), None),
    (net("10.0.0.0/8"), net("11.0.0.0/8"), None),
    (net("10.0.0.0/8"), net("2001:db8::/32"), None),
    (
        net("0.0.0.0/0", 6, (0, 100)),
        net("0.0.0.0/0", 6, (100, 200)),
        net("0.0.0.0/0", 6, (100, 100)),
    ),
    (net("0.0.0.0/0", 6, (0, 99)), net("0.0.0.0/0", 6, (100, 200)), None),
    (net("0.0.0.0/0", 6), net("0.0.0.0/0", 6, OPAQUE_PORT), net("0.0.0.0/0", 6, OPAQUE_PORT)),
    (net("0.0.0.0/0", 6, (1, 65535)), net("0.0.0.0/0", 6, OPAQUE_PORT), None),
    (
        net("0.0.0.0/0", 6, OPAQUE_PORT),
        net("0.0.0.0/0", 0, OPAQUE_PORT),
        net("0.0.0.0/0", 6, OPAQUE_PORT),
    ),
    (
        TrafficSelector(0, 0, 65535, IPv4Address("10.0.0.5"), IPv4Address("10.0.0.20")),
        TrafficSelector(0, 0, 65535, IPv4Address("10.0.0.10"), IPv4Address("255.255.255.255")),
        TrafficSelector(0, 0, 65535, IPv4Address("10.0.0.10"), IPv4Address("10.0.0.20")),
    ),
]


@pytest.mark.parametrize(("left", "right", "both"), INTERSECTIONS)
def test_two_selectors_share_what_both_select(
    left: TrafficSelector, right: TrafficSelector, both: TrafficSelector | None
) -> None:
    assert left.intersect(right) == both
    assert right.intersect(left) == both


@given(traffic_selectors, traffic_selectors)
def test_what_two_selectors_share_is_contained_in_both(
    left: TrafficSelector, right: TrafficSelector
) -> None:
    both = left.intersect(right)
    assert both == right.intersect(left)
    assert both is None or (left.contains(both) and right.contains(both))
    assert left.contains(right) == (both == right)
    assert left.contains(left)


def test_a_wider_selector_is_not_contained() -> None:
    assert net("10.0.0.0/8").contains(net("10.1.0.0/16", 6, (80, 80)))
    assert not net("10.1.0.0/16").contains(net("10.0.0.0/8"))
    assert not net("10.0.0.0/8", 6).contains(net("10.0.0.0/8"))
    assert not net("10.0.0.0/8", 6, OPAQUE_PORT).contains(net("10.0.0.0/8", 6))


@pytest.mark.parametrize(
    ("start", "end", "networks"),
    [
        ("10.1.0.0", "10.1.255.255", ["10.1.0.0/16"]),
        ("10.0.0.1", "10.0.0.3", ["10.0.0.1/32", "10.0.0.2/31"]),
        ("0.0.0.0", "255.255.255.255", ["0.0.0.0/0"]),
        ("255.255.255.254", "255.255.255.255", ["255.255.255.254/31"]),
    ],
)
def test_a_range_is_made_up_of_networks(start: str, end: str, networks: list[str]) -> None:
    selector = TrafficSelector(0, 0, 65535, IPv4Address(start), IPv4Address(end))
    assert [str(network) for network in selector.networks()] == networks


def test_a_range_of_ipv6_is_made_up_of_networks() -> None:
    assert TrafficSelector.of_network(NET6).networks() == (NET6,)
    everything = TrafficSelector(0, 0, 65535, IPv6Address(0), IPv6Address(2**128 - 1))
    assert everything.networks() == (ip_network("::/0"),)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (net("10.1.0.0/16"), "10.1.0.0/16"),
        (net("10.1.0.1/32"), "10.1.0.1/32"),
        (net("0.0.0.0/0"), "0.0.0.0/0"),
        (net("::/0"), "::/0"),
        (net("2001:db8::/32", 58), "2001:db8::/32[ipv6-icmp]"),
        (
            TrafficSelector(6, 80, 80, IPv4Address("10.1.0.1"), IPv4Address("10.1.0.9")),
            "10.1.0.1..10.1.0.9[tcp/80]",
        ),
        (net("10.0.0.0/8", 17, (1000, 2000)), "10.0.0.0/8[udp/1000-2000]"),
        (net("10.0.0.0/8", 17, OPAQUE_PORT), "10.0.0.0/8[udp/opaque]"),
        (net("10.0.0.0/8", 200), "10.0.0.0/8[200]"),
        (TrafficSelector.of_icmp(ip_network("10.0.0.0/8"), 8, 0), "10.0.0.0/8[icmp/8:0]"),
        (TrafficSelector.of_icmp(NET, 8), "10.1.0.0/16[icmp/8:0-8:255]"),
        (TrafficSelector.of_icmp(NET6, 128, 0), "2001:db8::/32[ipv6-icmp/128:0]"),
        (UnknownSelector(TsType.SECLABEL, b"x"), "?(10)"),
    ],
)
def test_a_selector_prints_shortly(selector: TrafficSelector, text: str) -> None:
    assert str(selector) == text


@given(selector_lists)
def test_selectors_survive_writing_and_reading(selectors: tuple[TrafficSelector, ...]) -> None:
    assert read_selectors(write_selectors(selectors)) == selectors


@given(st.binary(max_size=60))
def test_any_octets_are_selectors_or_invalid(octets: bytes) -> None:
    try:
        selectors = read_selectors(octets)
    except InvalidSyntax:
        return
    assert read_selectors(write_selectors(selectors)) == selectors
