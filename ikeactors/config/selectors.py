"""Traffic selectors in text: "10.0.0.0/16", "10.0.0.1-10.0.0.9[tcp/80]", "dynamic[gre]"."""

from __future__ import annotations

import re
from collections.abc import Callable

from ikeactors.config.addresses import address_range
from ikeactors.config.mistakes import Refused, nearest
from ikeactors.config.values import text
from ikeactors.protocol.settings import SelectorTemplate
from ikeactors.wire.selectors import (
    ANY_PORT,
    ANY_PROTOCOL,
    ICMP,
    ICMPV6,
    MOBILITY_HEADER,
    OPAQUE_PORT,
    PROTOCOL_NAMES,
    Ports,
    TrafficSelector,
)

_SELECTOR = re.compile(r"([^\[\]]*)(?:\[([^\[\]/]*)(?:/([^\[\]]*))?\])?")

_PROTOCOLS = {name: number for number, name in PROTOCOL_NAMES.items()} | {
    "any": ANY_PROTOCOL,
    "%any": ANY_PROTOCOL,
    "icmpv6": ICMPV6,
    "ipip": 4,
    "dccp": 33,
    "mh": MOBILITY_HEADER,
}

_EXPECTED = 'a traffic selector expected: "10.0.0.0/16", "dynamic", "10.0.0.1-10.0.0.9[tcp/80]"'

_MAX_PROTOCOL = 255
_MAX_PORT = 65535
_MAX_TYPE = 255


def selector_template(value: object) -> SelectorTemplate:
    """The template one text stands for."""
    given = text(value).strip()
    matched = _SELECTOR.fullmatch(given)
    if matched is None:
        raise Refused((value, _EXPECTED))
    addresses, protocol_text, port_text = matched[1].strip(), matched[2], matched[3]
    try:
        protocol = _protocol(protocol_text or "any")
        ports = _ports(protocol, port_text or "any")
    except ValueError as error:
        raise Refused((value, str(error))) from None
    if addresses == "dynamic":
        return SelectorTemplate(None, protocol, *ports)
    if not addresses and protocol_text:
        raise Refused((value, f"addresses are missing before the bracket; nearest: dynamic{given}"))
    first, last = address_range(addresses, _EXPECTED)
    return SelectorTemplate(TrafficSelector(protocol, *ports, first, last), protocol, *ports)


def _protocol(given: str) -> int:
    if given in _PROTOCOLS:
        return _PROTOCOLS[given]
    if given.isascii() and given.isdigit() and int(given) <= _MAX_PROTOCOL:
        return int(given)
    raise ValueError(f"unknown protocol {given}{nearest(given, _PROTOCOLS)}")


def _ports(protocol: int, given: str) -> Ports:
    if given in ("any", "%any"):
        return ANY_PORT
    reader = _PORT_READERS.get(protocol)
    if reader is None:
        raise ValueError("a port needs a protocol that has ports: [tcp/80], [icmp/8]")
    if given == "opaque":
        return OPAQUE_PORT
    first, _, last = given.partition("-")
    start, end = reader(first)[0], reader(last or first)[1]
    if start > end:
        raise ValueError("the range of ports is reversed")
    return start, end


def _port(given: str) -> Ports:
    number = _bounded(given, _MAX_PORT, "a port")
    return number, number


def _icmp(given: str) -> Ports:
    """A type with its code, "3:1", or with all of them, "8" (RFC 4301 section 4.4.1.1)."""
    kind_text, colon, code_text = given.partition(":")
    kind = _bounded(kind_text, _MAX_TYPE, "a type of ICMP") << 8
    if not colon:
        return kind, kind | 0xFF
    code = _bounded(code_text, _MAX_TYPE, "a code of ICMP")
    return kind | code, kind | code


def _bounded(given: str, highest: int, what: str) -> int:
    if given.isascii() and given.isdigit() and len(given) <= len(str(highest)):
        number = int(given)
        if number <= highest:
            return number
    raise ValueError(f"{what} is a number from 0 to {highest}, not {given or 'nothing'}")


_PORT_READERS: dict[int, Callable[[str], Ports]] = {
    **dict.fromkeys((6, 17, 33, 132, 136), _port),
    **dict.fromkeys((ICMP, ICMPV6, MOBILITY_HEADER), _icmp),
}
