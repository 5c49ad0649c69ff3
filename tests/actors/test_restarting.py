"""Where from, where to, and with which children."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikeactors.actors.restarting import (
    Locator,
    children_to_restore,
    single_remote,
    started_children,
    union,
)
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.settings import (
    AddressPattern,
    ChildSettings,
    ConnectionSettings,
    DownAction,
    StartAction,
)

A, B, B6 = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::2")


def one(text: str) -> AddressPattern:
    network = ip_network(text)
    return AddressPattern(network[0], network[-1])


@pytest.mark.parametrize(
    ("patterns", "remote"),
    [
        ((one("192.0.2.2"),), Endpoint(B, 500)),
        ((one("2001:db8::2"),), Endpoint(B6, 500)),
        ((one("192.0.2.0/24"),), None),
        ((one("0.0.0.0/0"), one("::/0")), None),
        ((), None),
    ],
)
def test_a_peer_can_be_called_at_one_address_only(
    patterns: tuple[AddressPattern, ...], remote: Endpoint | None
) -> None:
    assert single_remote(ConnectionSettings("net", remote_addrs=patterns)) == remote


@pytest.mark.parametrize(
    ("local_addrs", "routed", "local"),
    [
        ((), A, Endpoint(A, 1500)),
        ((one("192.0.2.9"),), A, Endpoint(ip_address("192.0.2.9"), 1500)),
        ((one("2001:db8::1"),), A, Endpoint(A, 1500)),
        ((one("192.0.2.0/24"),), A, Endpoint(A, 1500)),
        ((), None, None),
        ((), ip_address("0.0.0.0"), None),
    ],
)
def test_our_end_is_the_configured_address_or_what_the_routes_say(
    local_addrs: tuple[AddressPattern, ...], routed: object, local: Endpoint | None
) -> None:
    locator = Locator(lambda _: routed, ike_port=1500)  # type: ignore[arg-type,return-value]
    assert locator.local(ConnectionSettings("net", local_addrs=local_addrs), B) == local


def test_a_local_port_of_ones_own_is_kept() -> None:
    connection = ConnectionSettings("net", local_port=1234)
    assert Locator(lambda _: A, ike_port=500).local(connection, B) == Endpoint(A, 1234)


def test_children_come_back_as_their_actions_say() -> None:
    started = ChildSettings("started", start_action=StartAction.START)
    on_close = ChildSettings("on_close", close_action=DownAction.START)
    on_death = ChildSettings("on_death", dpd_action=DownAction.START)
    connection = ConnectionSettings("net", children=(started, on_close, on_death))
    wanted = ("on_close", "on_death")
    assert started_children(connection) == ("started",)
    assert children_to_restore(connection, wanted, "", True) == ("started", "on_close")
    assert children_to_restore(connection, wanted, "dead", True) == ("started", "on_death")
    assert children_to_restore(connection, wanted, "dead", False) == ("started",)
    assert children_to_restore(connection, (), "", True) == ("started",)
    assert children_to_restore(replace(connection, children=()), wanted, "", True) == ()


def test_a_union_has_each_name_once_and_in_order() -> None:
    assert union(("b", "a"), ("a", "c")) == ("b", "a", "c")
