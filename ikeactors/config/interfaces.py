"""XFRM interfaces: the sections [interfaces.NAME]."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from ikeactors.config import values
from ikeactors.config.mistakes import Mistakes, Place, Refused
from ikeactors.config.schema import Option, options, read_section
from ikeactors.config.values import boolean, integer, listed, text
from ikeactors.kernel.interfaces import Interface

# The kernel's IFNAMSIZ, less the final zero.
_MAX_INTERFACE_NAME = 15
# What IPv4 asks of every link (RFC 791), and the longest datagram.
_MIN_MTU, _MAX_MTU = 68, 65535

_INTERFACE_NAME = re.compile(r"[^\s/:\x00-\x1f]+")


def interface_name(value: object) -> str:
    """The name of a network device."""
    given = text(value)
    if _INTERFACE_NAME.fullmatch(given) and len(given) <= _MAX_INTERFACE_NAME:
        return given
    raise Refused((value, "an interface name has 1 to 15 characters, no space, slash or colon"))


def _address(value: object) -> IPv4Interface | IPv6Interface:
    try:
        return ip_interface(text(value))
    except ValueError:
        raise Refused((value, 'an address with its network expected: "10.0.0.1/24"')) from None


def _device(value: object) -> str:
    return interface_name(value) if value else ""


def _mtu(value: object) -> int:
    number = integer(0, _MAX_MTU)(value)
    if 0 < number < _MIN_MTU:
        raise Refused((value, f"0, or at least {_MIN_MTU} expected"))
    return number


INTERFACE = options(
    Option(
        "if_id",
        integer(1, values.MAX_U32),
        None,
        "Its number: what children with this if_id_in and if_id_out protect goes through it.",
        example="7",
    ),
    Option("addresses", listed(_address), "[]", 'Its addresses: "10.9.0.1/30", "fd09::1/64".'),
    Option(
        "mtu", _mtu, "0", "Its MTU; 0 is what the SAs' overhead leaves of the path to the peer."
    ),
    Option("device", _device, '""', "The device it lies upon, which it goes with; none if empty."),
    Option("routes", boolean, "true", "Install routes into it to the peers' networks."),
)


def read_interface(name: str, table: object, place: Place, mistakes: Mistakes) -> Interface | None:
    """An interface; None if it has mistakes."""
    before = len(mistakes.found)
    try:
        interface_name(name)
    except Refused as refused:
        mistakes.refuse(place, refused)
    section = read_section(table, place, INTERFACE, mistakes)
    if section["if_id"] is None and section.is_sound("if_id"):
        mistakes.add(place, "an XFRM interface needs an if_id")
    return None if len(mistakes.found) > before else Interface(name=name, **section.values)


def check_interfaces(
    interfaces: Iterable[tuple[Interface, Place]], kernel: str, mistakes: Mistakes
) -> None:
    """Each number has one interface, and each is the kernel's."""
    names: dict[int, str] = {}
    for interface, place in interfaces:
        before = names.setdefault(interface.if_id, interface.name)
        if before != interface.name:
            mistakes.add(place.of("if_id"), f"interfaces.{before} has it already", interface.if_id)
        if kernel == "userspace":
            message = 'XFRM interfaces need the kernel\'s data plane, not kernel = "userspace"'
            mistakes.add(place, message)
