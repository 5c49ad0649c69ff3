from ipaddress import ip_address

import pytest

from ikeactors.config.addresses import (
    ANY_IPV4,
    ANY_IPV6,
    EXPECTED,
    AddressName,
    address,
    address_patterns,
)
from ikeactors.config.mistakes import Refused

GOOD = [
    ("192.0.2.1", ("192.0.2.1", "192.0.2.1")),
    ("192.0.2.0/30", ("192.0.2.0", "192.0.2.3")),
    ("192.0.2.1-192.0.2.9", ("192.0.2.1", "192.0.2.9")),
    ("192.0.2.1 - 192.0.2.9", ("192.0.2.1", "192.0.2.9")),
    ("192.0.2.1..192.0.2.9", ("192.0.2.1", "192.0.2.9")),
    ("2001:db8::1", ("2001:db8::1", "2001:db8::1")),
    ("2001:db8::/127", ("2001:db8::", "2001:db8::1")),
    ("2001:db8::1-2001:db8::f", ("2001:db8::1", "2001:db8::f")),
    ("0.0.0.0/0", ("0.0.0.0", "255.255.255.255")),
]

NAME = "a DNS name has no place here: write the address"
NAMES = [
    ("gw.example.org", "gw.example.org"),
    ("GW.Example.org.", "gw.example.org"),
    ("localhost", "localhost"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("a" * 63 + ".example", "a" * 63 + ".example"),
]

BAD = [
    ("any", f'{EXPECTED}; nearest: "%any"'),
    ("gw..example.org", EXPECTED),
    ("gw example", EXPECTED),
    ("a" * 64 + ".example", EXPECTED),
    (".".join(["a" * 60] * 5), EXPECTED),
    ("192.0.2.999", EXPECTED),
    ("192.0.2.1/99", EXPECTED),
    ("192.0.2", EXPECTED),
    ("%anything", EXPECTED),
    ("", EXPECTED),
    ("192.0.2.1/24", "bits are set behind the prefix; nearest: 192.0.2.0/24"),
    ("192.0.2.9-192.0.2.1", "the range is reversed; nearest: 192.0.2.1-192.0.2.9"),
    ("192.0.2.1-2001:db8::1", "a range has two addresses of one family"),
    ("fe80::1%eth0", "addresses with a scope are not available yet: write one without %"),
    (5, "text expected, in quotes"),
]


@pytest.mark.parametrize(("text", "ends"), GOOD)
def test_addresses_networks_and_ranges_are_patterns(text, ends):
    (pattern,) = address_patterns(text)
    assert (pattern.first, pattern.last) == tuple(map(ip_address, ends))


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name_is_resolved_later(text, name):
    assert address_patterns(text) == (AddressName(name),)


def test_any_is_one_network_per_family():
    assert address_patterns("%any") == (ANY_IPV4, ANY_IPV6)
    assert address_patterns("%any4") == address_patterns("0.0.0.0") == (ANY_IPV4,)
    assert address_patterns("%any6") == address_patterns("::") == (ANY_IPV6,)


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_wrong_address_is_told_what_would_be_right(text, message):
    with pytest.raises(Refused) as caught:
        address_patterns(text)
    assert caught.value.complaints == ((text, message),)


def test_a_name_where_an_address_must_be_is_refused():
    with pytest.raises(Refused) as caught:
        address("gw.example.org")
    assert caught.value.complaints == (("gw.example.org", NAME),)


def test_a_single_address_is_neither_a_network_nor_a_name():
    assert address("192.0.2.1") == ip_address("192.0.2.1")
    for text in ("192.0.2.0/24", "gw.example.org", "fe80::1%eth0", "%any"):
        with pytest.raises(Refused):
            address(text)
