"""Where from, where to, and with which children."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikeactors.actors.names import Unresolved
from ikeactors.actors.restarting import (
    Locator,
    Unreachable,
    children_to_restore,
    children_to_trap,
    single_remote,
    started_children,
    union,
)
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.settings import (
    AddressPattern,
    ChildSettings,
    ConnectionSettings,
    DownAction,
    StartAction,
)

A, B, B6 = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::2")
A6 = ip_address("2001:db8::1")


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


class Answers:
    """What names resolve to."""

    def __init__(self, **known: tuple[Address, ...]) -> None:
        self.known = known

    async def __call__(self, name: str) -> tuple[Address, ...]:
        if name not in self.known:
            raise Unresolved(f"{name} does not resolve: NXDOMAIN")
        return self.known[name]


def routed_in(*versions: int) -> Callable[[Address], Address | None]:
    return lambda remote: {4: A, 6: A6}[remote.version] if remote.version in versions else None


async def test_each_attempt_takes_the_next_address_of_a_name() -> None:
    locator = Locator(routed_in(4, 6), 500, Answers(gw=(B6, B)))
    connection = ConnectionSettings("net", remote_names=("gw",), remote_port=1500)
    ends = [await locator.ends(connection, None, attempt) for attempt in range(3)]
    six, four = (Endpoint(A6, 500), Endpoint(B6, 1500)), (Endpoint(A, 500), Endpoint(B, 1500))
    assert ends == [six, four, six]


async def test_an_address_of_a_name_that_no_route_leads_to_is_passed_over() -> None:
    locator = Locator(routed_in(4), 500, Answers(gw=(B6, B)))
    connection = ConnectionSettings("net", remote_names=("gw",))
    for attempt in range(2):
        _, remote = await locator.ends(connection, None, attempt)
        assert remote.address == B


async def test_our_end_may_be_a_name() -> None:
    locator = Locator(routed_in(4), 500, Answers(gw=(B,), me=(ip_address("192.0.2.9"),)))
    connection = ConnectionSettings("net", remote_names=("gw",), local_names=("me",))
    local, _ = await locator.ends(connection, None, 0)
    assert local.address == ip_address("192.0.2.9")


@pytest.mark.parametrize(
    ("connection", "versions", "why"),
    [
        (ConnectionSettings("net", remote_names=("hq",)), (4,), "hq does not resolve: NXDOMAIN"),
        (
            ConnectionSettings("net", remote_names=("gw",), local_names=("me",)),
            (4,),
            "me does not resolve: NXDOMAIN",
        ),
        (
            ConnectionSettings("net", remote_names=("gw",)),
            (),
            "no route leads to 192.0.2.2:500 or [2001:db8::2]:500",
        ),
    ],
)
async def test_what_cannot_be_called_says_why(
    connection: ConnectionSettings, versions: tuple[int, ...], why: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        await Locator(routed_in(*versions), 500, Answers(gw=(B, B6))).ends(connection, None, 0)
    assert str(caught.value) == why


async def test_where_names_are_not_looked_up_they_do_not_resolve() -> None:
    connection = ConnectionSettings("net", remote_names=("gw",))
    with pytest.raises(Unreachable):
        await Locator(routed_in(4), 500).ends(connection, None, 0)


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


def test_children_are_left_to_the_next_packet_as_their_actions_say() -> None:
    on_close = ChildSettings("on_close", close_action=DownAction.TRAP)
    on_death = ChildSettings("on_death", dpd_action=DownAction.TRAP)
    connection = ConnectionSettings("net", children=(on_close, on_death))
    assert children_to_trap(connection, ("on_close", "on_death"), "") == ("on_close",)
    assert children_to_trap(connection, ("on_close", "on_death"), "dead") == ("on_death",)
    assert children_to_trap(connection, (), "dead") == ()
    assert children_to_restore(connection, ("on_close", "on_death"), "", True) == ()


def test_a_union_has_each_name_once_and_in_order() -> None:
    assert union(("b", "a"), ("a", "c")) == ("b", "a", "c")
