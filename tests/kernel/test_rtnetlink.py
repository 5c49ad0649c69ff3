"""Addresses and routes in rtnetlink's octets, with pyroute2 as the other side."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ikeactors.errors import InvalidSyntax
from ikeactors.kernel.netlink import Message, read_messages
from ikeactors.kernel.rtnetlink import dump_addresses, matters, read_address

NEWADDR, DELADDR, NEWROUTE, NEWLINK = 20, 21, 24, 16
OURS = 222


def written(form: type, type_: int, **fields: object) -> Message:
    """A message as pyroute2 writes it."""
    message = form()
    message.update(fields)
    message["header"]["type"] = type_
    message.encode()
    (read,) = read_messages(bytes(message.data))
    return read


def address(text: str, *, flags: int = 0, local: str = "", type_: int = NEWADDR) -> Message:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    attributes = [("IFA_ADDRESS", text), ("IFA_FLAGS", flags)]
    if local:
        attributes.append(("IFA_LOCAL", local))
    return written(ifaddrmsg, type_, family=family, prefixlen=24, index=2, attrs=attributes)


def route(**fields: int) -> Message:
    attributes = [("RTA_DST", "198.51.100.0")]
    return written(rtmsg, NEWROUTE, family=socket.AF_INET, dst_len=24, attrs=attributes, **fields)


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "fe80::1"])
def test_an_address_is_read(text: str) -> None:
    assert read_address(address(text)) == ip_address(text)


def test_of_a_link_between_two_addresses_ours_is_read() -> None:
    assert read_address(address("192.0.2.9", local="192.0.2.1")) == ip_address("192.0.2.1")


@pytest.mark.parametrize("flags", [0x40, 0x08], ids=["tentative", "duplicate"])
def test_an_address_that_cannot_be_used_is_not_told(flags: int) -> None:
    assert read_address(address("2001:db8::1", flags=flags)) is None


def test_a_temporary_or_permanent_address_can_be_used() -> None:
    assert read_address(address("2001:db8::1", flags=0x281)) is not None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (address("192.0.2.1"), True),
        (address("192.0.2.1", type_=DELADDR), True),
        (route(table=254), True),
        (route(table=254, proto=16), True),
        (route(table=255), False),
        (route(table=220, proto=OURS), False),
        (route(table=254, flags=0x200), False),
        (Message(NEWLINK, bytes(16)), False),
        (Message(NEWROUTE, bytes(3)), False),
    ],
)
def test_what_matters_is_addresses_and_routes_of_others(message: Message, expected: bool) -> None:
    assert matters(message, OURS) is expected


def test_the_question_is_for_addresses_of_all_families() -> None:
    asked = dump_addresses()
    assert (asked.type, asked.flags, asked.body) == (22, 0x301, bytes(8))


@given(st.binary(max_size=64), st.sampled_from([NEWADDR, DELADDR, NEWROUTE, NEWLINK]))
def test_any_octets_are_an_address_or_none(octets: bytes, type_: int) -> None:
    message = Message(type_, octets)
    matters(message, OURS)
    with suppress(InvalidSyntax):
        read_address(message)
