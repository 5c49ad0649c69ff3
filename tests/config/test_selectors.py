from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.config.mistakes import Refused
from ikeactors.config.selectors import selector_template
from ikeactors.protocol.settings import SelectorTemplate
from ikeactors.wire.selectors import OPAQUE_PORT, PROTOCOL_NAMES, TrafficSelector

TEN = ip_network("10.0.0.0/8")

GOOD = [
    ("10.0.0.0/8", TrafficSelector.of_network(TEN)),
    ("10.0.0.0/8[tcp/80]", TrafficSelector.of_network(TEN, 6, (80, 80))),
    ("10.0.0.0/8[udp/1000-2000]", TrafficSelector.of_network(TEN, 17, (1000, 2000))),
    ("10.0.0.0/8[17]", TrafficSelector.of_network(TEN, 17)),
    ("10.0.0.0/8[tcp/any]", TrafficSelector.of_network(TEN, 6)),
    ("10.0.0.0/8[tcp/opaque]", TrafficSelector.of_network(TEN, 6, OPAQUE_PORT)),
    ("10.0.0.0/8[icmp/8]", TrafficSelector.of_icmp(TEN, 8)),
    ("10.0.0.0/8[icmp/3:1]", TrafficSelector.of_icmp(TEN, 3, 1)),
    ("10.0.0.0/8[any]", TrafficSelector.of_network(TEN)),
]

GOOD_DYNAMIC = [
    ("dynamic", SelectorTemplate()),
    ("dynamic[gre]", SelectorTemplate(None, 47)),
    ("dynamic[tcp/80]", SelectorTemplate(None, 6, 80, 80)),
    ("dynamic[tcp/opaque]", SelectorTemplate(None, 6, *OPAQUE_PORT)),
]

EXPECTED = 'a traffic selector expected: "10.0.0.0/16", "dynamic", "10.0.0.1-10.0.0.9[tcp/80]"'
NO_PORTS = "a port needs a protocol that has ports: [tcp/80], [icmp/8]"

BAD = [
    ("10.0.0.0/8[tcp", EXPECTED),
    ("10.0.0.0/8]tcp[", EXPECTED),
    ("", EXPECTED),
    ("10.0.0.0/8[tpc/80]", "unknown protocol tpc; nearest: tcp"),
    ("10.0.0.0/8[256]", "unknown protocol 256"),
    ("10.0.0.0/8[gre/80]", NO_PORTS),
    ("10.0.0.0/8[any/80]", NO_PORTS),
    ("10.0.0.0/8[tcp/http]", "a port is a number from 0 to 65535, not http"),
    ("10.0.0.0/8[tcp/65536]", "a port is a number from 0 to 65535, not 65536"),
    ("10.0.0.0/8[tcp/20-10]", "the range of ports is reversed"),
    ("10.0.0.0/8[icmp/256]", "a type of ICMP is a number from 0 to 255, not 256"),
    ("10.0.0.0/8[icmp/3:x]", "a code of ICMP is a number from 0 to 255, not x"),
    (
        "[udp/1000-2000]",
        "addresses are missing before the bracket; nearest: dynamic[udp/1000-2000]",
    ),
    (7, "text expected, in quotes"),
]


@pytest.mark.parametrize(("text", "selector"), GOOD)
def test_a_selector_is_addresses_protocol_and_ports(text, selector):
    assert selector_template(text).selector == selector


@pytest.mark.parametrize(("text", "template"), GOOD_DYNAMIC)
def test_a_dynamic_selector_keeps_protocol_and_ports(text, template):
    assert selector_template(text) == template


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_wrong_selector_is_told_what_would_be_right(text, message):
    with pytest.raises(Refused) as caught:
        selector_template(text)
    assert caught.value.complaints == ((text, message),)


def test_a_host_bit_is_told_without_the_bracket():
    with pytest.raises(Refused, match=r"nearest: 10\.0\.0\.0/8"):
        selector_template("10.0.0.1/8[tcp]")


ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
protocols = st.sampled_from([6, 17, 1, 58, 132, 135])
addresses = st.one_of(
    st.tuples(*[st.integers(0, 2**32 - 1).map(IPv4Address)] * 2),
    st.tuples(*[st.integers(0, 2**128 - 1).map(IPv6Address)] * 2),
).map(sorted)


@given(protocols, ports, addresses)
def test_what_a_selector_is_printed_as_can_be_written(protocol, ports, addresses):
    selector = TrafficSelector(protocol, *ports, *addresses)
    assert selector_template(str(selector)).selector == selector


@given(st.sampled_from(sorted(PROTOCOL_NAMES)), addresses)
def test_every_protocol_that_is_printed_can_be_written(protocol, addresses):
    selector = TrafficSelector(protocol, 0, 65535, *addresses)
    assert selector_template(str(selector)).selector == selector
