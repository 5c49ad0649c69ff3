"""Where an end may be: addresses, networks, ranges, "%any", DNS names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from ikeactors.config.mistakes import Refused
from ikeactors.config.values import text
from ikeactors.protocol.settings import Address, AddressPattern

ANY_IPV4 = AddressPattern(IPv4Address(0), IPv4Address(2**32 - 1))
ANY_IPV6 = AddressPattern(IPv6Address(0), IPv6Address(2**128 - 1))

_WORDS = {
    "%any": (ANY_IPV4, ANY_IPV6),
    "%any4": (ANY_IPV4,),
    "0.0.0.0": (ANY_IPV4,),
    "%any6": (ANY_IPV6,),
    "::": (ANY_IPV6,),
}

_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_RANGE = re.compile(r"\s*(?:-|\.\.)\s*")

_LONGEST_NAME = 253
_LONGEST_LABEL = 63

EXPECTED = (
    "an address expected: 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9, a DNS name, "
    '"%any" or "%any6"'
)


@dataclass(frozen=True, slots=True)
class AddressName:
    """A DNS name, which has whatever addresses it resolves to."""

    name: str


def address_patterns(value: object) -> tuple[AddressPattern | AddressName, ...]:
    """The addresses one word stands for; "%any" is one network per family."""
    given = text(value)
    if given in _WORDS:
        return _WORDS[given]
    if f"%{given}" in _WORDS:
        raise Refused((given, f'{EXPECTED}; nearest: "%{given}"'))
    if _is_name(given):
        return (AddressName(given.rstrip(".").lower()),)
    first, last = address_range(given, EXPECTED)
    return (AddressPattern(first, last),)


def address(value: object) -> Address:
    """One address."""
    given = text(value)
    try:
        return _address(given)
    except ValueError:
        raise Refused((value, _why_not(given, "an address expected: 192.0.2.1"))) from None


def address_range(given: str, expected: str) -> tuple[Address, Address]:
    """The first and the last address of an address, a network or a range."""
    try:
        if "/" in given:
            return _network(given)
        ends = [_address(end) for end in _RANGE.split(given, maxsplit=1)]
    except ValueError:
        raise Refused((given, _why_not(given, expected))) from None
    first, last = ends[0], ends[-1]
    if first.version != last.version:
        raise Refused((given, "a range has two addresses of one family"))
    if int(first) > int(last):
        raise Refused((given, f"the range is reversed; nearest: {last}-{first}"))
    return first, last


def _network(given: str) -> tuple[Address, Address]:
    network = ip_network(given, strict=False)
    if str(network.network_address) != str(ip_address(given.partition("/")[0])):
        raise Refused((given, f"bits are set behind the prefix; nearest: {network}"))
    return network[0], network[-1]


def _address(given: str) -> Address:
    found = ip_address(given)
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        raise ValueError("scoped")
    return found


def _why_not(given: str, expected: str) -> str:
    if "%" in given and not given.startswith("%"):
        return "addresses with a scope are not available yet: write one without %"
    if _is_name(given):
        return "a DNS name has no place here: write the address"
    return expected


def _is_name(given: str) -> bool:
    """Whether this can be a DNS name (RFC 1035 section 2.3.4)."""
    if not _NAME.fullmatch(given) or _looks_numeric(given):
        return False
    return len(given) <= _LONGEST_NAME and all(
        len(one) <= _LONGEST_LABEL for one in given.split(".")
    )


def _looks_numeric(given: str) -> bool:
    """A mistyped range or IPv6 address is not a name."""
    return ".." in given or all(part.isdigit() for part in re.split(r"[.-]", given) if part)
