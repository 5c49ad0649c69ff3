"""Ranges as prefixes and masks."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.kernel.requests import KernelRefusal
from ikeactors.kernel.xfrm_selectors import PortBlock, xfrm_selectors
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.sas import selector

ANYWHERE = selector("0.0.0.0/0")


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_blocks_of_ports_make_up_the_range_once(one: int, other: int, port: int) -> None:
    first, last = sorted((one, other))
    found = xfrm_selectors(ANYWHERE, selector("10.0.0.0/8", 6, (first, last)))
    blocks = [each.destination_ports for each in found]
    assert all(block.port & ~block.mask == 0 for block in blocks)
    assert sum(port & block.mask == block.port for block in blocks) == (first <= port <= last)


def test_a_range_of_addresses_becomes_prefixes() -> None:
    source = replace(
        selector("10.0.0.0/32"), start=ip_address("10.0.0.1"), end=ip_address("10.0.0.4")
    )
    found = [each.source for each in xfrm_selectors(source, ANYWHERE)]
    assert found == [ip_network(text) for text in ("10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32")]


def test_any_ports_are_one_selector_without_a_mask() -> None:
    found = xfrm_selectors(ANYWHERE, ANYWHERE)
    assert [(each.source_ports, each.destination_ports) for each in found] == [
        (PortBlock(0, 0), PortBlock(0, 0))
    ]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0x0800, 0x08FF, [((8, 0xFFFF), (0, 0))]),
        (0x0304, 0x0304, [((3, 0xFFFF), (4, 0xFFFF))]),
        (0x0000, 0xFFFF, [((0, 0), (0, 0))]),
        (0x0800, 0x09FF, [((8, 0xFFFF), (0, 0)), ((9, 0xFFFF), (0, 0))]),
    ],
)
def test_icmp_has_its_type_and_code_where_xfrm_wants_them(
    first: int, last: int, expected: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    """(RFC 7296 section 3.13.1)"""
    one: TrafficSelector = selector("10.0.0.0/8", 1, (first, last))
    for found in (xfrm_selectors(one, ANYWHERE), xfrm_selectors(ANYWHERE, one)):
        assert [(each.source_ports, each.destination_ports) for each in found] == expected


def test_a_policy_of_very_many_selectors_is_refused() -> None:
    odd = (1, 65534)
    source = replace(selector("10.0.0.0/32", 6, odd), end=ip_address("10.0.255.254"))
    with pytest.raises(KernelRefusal, match="more than 256"):
        xfrm_selectors(source, selector("10.0.0.0/8", 6, odd))
