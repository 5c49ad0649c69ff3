"""Which child fits what a peer asks for: narrowing, and what the answer says of it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikeactors.iana import NotifyType
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.events import DatagramReceived, Endpoint, RekeyRequested
from ikeactors.protocol.settings import ConnectionSettings, SelectorTemplate
from ikeactors.wire.payload import Notify
from ikeactors.wire.selectors import TrafficSelector
from tests.pair import EAST, WEST, Pair, child, connection, esp, opposite, selectors
from tests.protocol.forging import answered, authenticating, change_sealed

WIDE = child(local_ts=selectors("10.1.0.0/16"), remote_ts=selectors("10.0.0.0/8"))
PRIVATE = Endpoint(ip_address("172.16.0.9"), 500)
MORE = "N(ADDITIONAL_TS_POSSIBLE)"


def eastern(*networks: str, **changes: object) -> ConnectionSettings:
    """East with a child for each of these networks on its side."""
    children = tuple(
        child(
            f"net{place}",
            local_ts=selectors(network),
            remote_ts=selectors("10.1.0.0/16"),
            **changes,
        )
        for place, network in enumerate(networks)
    )
    return replace(opposite(connection()), children=children)


# What was left out.


def test_a_narrowed_answer_says_that_more_is_to_be_had_in_another_child_sa() -> None:
    """(RFC 7296 section 2.9)"""
    pair = Pair(connection(children=(WIDE,)), eastern("10.2.0.0/16", "10.3.0.0/16")).establish()
    assert MORE in pair.trace[3]
    (ours,) = pair.west.association.children
    assert [str(one) for one in ours.agreement.remote_ts] == ["10.2.0.0/16"]


@pytest.mark.parametrize(
    "networks", [("10.2.0.0/16",), ("10.0.0.0/8", "10.3.0.0/16"), ("10.2.0.0/16", "10.2.7.0/24")]
)
def test_nothing_more_is_promised_than_there_is(networks: tuple[str, ...]) -> None:
    pair = Pair(connection(children=(WIDE,)), eastern(*networks)).establish()
    assert MORE not in pair.trace[3]


def test_what_another_suite_would_protect_is_not_promised() -> None:
    east = eastern("10.2.0.0/16", "10.3.0.0/16")
    first, second = east.children
    east = replace(east, children=(first, replace(second, esp_proposals=esp("aes256-sha512"))))
    pair = Pair(connection(children=(WIDE,)), east).establish()
    assert MORE not in pair.trace[3]


# One pair of addresses a Child SA.


def host(local: str, remote: str) -> ConnectionSettings:
    return connection(children=(child(local_ts=selectors(local), remote_ts=selectors(remote)),))


def test_a_responder_may_insist_on_one_pair_of_addresses() -> None:
    """(RFC 7296 section 2.9)"""
    pair = Pair(connection(), eastern("10.2.0.0/16", single_pair=True)).establish()
    assert "N(SINGLE_PAIR_REQUIRED)" in pair.trace[3]


def test_one_pair_of_addresses_is_taken_and_rekeyed() -> None:
    west = host("10.1.0.7/32", "10.2.0.9/32")
    pair = Pair(west, eastern("10.2.0.0/16", single_pair=True)).establish()
    pair.assert_mirrored()
    pair.give(pair.west, RekeyRequested("net", request_id=3))
    pair.settle()
    assert pair.west.answers[-1].succeeded


def test_the_first_choices_decide_which_pair_it_is() -> None:
    """(RFC 7296 section 2.9)"""
    settings = child(
        local_ts=selectors("10.1.0.7/32", "10.1.0.0/16"),
        remote_ts=selectors("10.2.0.9/32", "10.2.0.0/16"),
    )
    west = connection(children=(settings,))
    pair = Pair(west, eastern("10.2.0.0/16", single_pair=True)).establish()
    (ours,) = pair.west.association.children
    assert [str(one) for one in ours.agreement.local_ts] == ["10.1.0.7/32"]
    assert [str(one) for one in ours.agreement.remote_ts] == ["10.2.0.9/32"]
    pair.give(pair.west, RekeyRequested("net", request_id=3))
    pair.settle()
    assert pair.west.answers[-1].succeeded


# Notifies that ask for nothing we have.


@pytest.mark.parametrize(
    "kind",
    [
        NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED,
        NotifyType.NON_FIRST_FRAGMENTS_ALSO,
        NotifyType.HTTP_CERT_LOOKUP_SUPPORTED,
        NotifyType.ADDITIONAL_TS_POSSIBLE,
    ],
)
def test_what_we_do_not_do_is_passed_over_and_not_confirmed(kind: NotifyType) -> None:
    """(RFC 7296 section 1.3.1)"""
    pair = authenticating()
    change_sealed(pair, pair.flights[0], lambda payloads: (*payloads, Notify(kind)))
    pair.deliver(pair.flights[0])
    assert pair.east.association.established
    assert kind.name not in pair.trace[3]
    pair.settle()
    pair.assert_mirrored()
    pair = answered()
    change_sealed(pair, pair.flights[0], lambda payloads: (*payloads, Notify(kind)))
    pair.settle()
    pair.assert_mirrored()


# Transport mode through a NAT.


def dynamic(**changes: object) -> ConnectionSettings:
    """Transport mode between the outer addresses, whatever they are."""
    return connection(
        children=(child(mode=Mode.TRANSPORT, local_ts=ANY, remote_ts=ANY),), **changes
    )


ANY = (SelectorTemplate(),)
PUBLIC = ip_address("198.51.100.9")


def initiator_behind_nat(datagram: DatagramReceived) -> DatagramReceived:
    if datagram.local.address == EAST.address:
        return replace(datagram, remote=replace(datagram.remote, address=PUBLIC))
    return replace(datagram, local=replace(datagram.local, address=WEST.address))


def responder_behind_nat(datagram: DatagramReceived) -> DatagramReceived:
    if datagram.local.address == EAST.address:
        return replace(datagram, local=replace(datagram.local, address=PRIVATE.address))
    return replace(datagram, remote=replace(datagram.remote, address=EAST.address))


def through(*nats: str) -> Pair:
    """Both ends in transport mode, these of them behind NATs."""
    west = dynamic()
    east = replace(opposite(west), remote_addrs=())
    pair = Pair(west, east)

    def nat(datagram: DatagramReceived) -> DatagramReceived:
        if "west" in nats:
            datagram = initiator_behind_nat(datagram)
        return responder_behind_nat(datagram) if "east" in nats else datagram

    pair.nat = nat
    remote = replace(WEST, address=PUBLIC) if "west" in nats else WEST
    pair.east.association = pair.responder(remote)
    if "east" in nats:
        pair.east.association.local = PRIVATE
    return pair


@pytest.mark.parametrize("nats", [("west",), ("east",), ("west", "east")])
@pytest.mark.parametrize("rekeyed", [False, True])
def test_transport_mode_passes_nats(nats: tuple[str, ...], rekeyed: bool) -> None:
    """(RFC 7296 section 2.23.1)"""
    pair = through(*nats).establish()
    if rekeyed:
        pair.give(pair.west, RekeyRequested("net", request_id=2))
        pair.settle()
        pair.give(pair.east, RekeyRequested("net", request_id=2))
        pair.settle()
        pair.pass_time(6)
    for end in pair.ends():
        (made,) = end.association.children
        assert made.agreement.mode is Mode.TRANSPORT
        here, there = end.association.local.address, end.association.remote.address
        assert [(one.start, one.end) for one in made.agreement.local_ts] == [(here, here)]
        assert [(one.start, one.end) for one in made.agreement.remote_ts] == [(there, there)]
        assert made.inbound.encapsulation is not None


def test_the_answer_has_the_addresses_that_the_responder_sees() -> None:
    """(RFC 7296 section 2.23.1)"""
    pair = through("west", "east").establish()
    (made,) = pair.east.association.children
    assert {one.start for one in made.agreement.remote_ts} == {PUBLIC}
    assert {one.start for one in made.agreement.local_ts} == {PRIVATE.address}


def test_ports_and_protocols_are_narrowed_behind_a_nat_too() -> None:
    udp = (SelectorTemplate(None, 17, 1701, 1701),)
    pair = through("west")
    settings = child(mode=Mode.TRANSPORT, local_ts=udp, remote_ts=ANY)
    east = replace(pair.east_settings.connections[0], children=(settings,))
    made = Pair(dynamic(), east)
    made.nat = pair.nat
    made.east.association = made.responder(replace(WEST, address=PUBLIC))
    made.establish()
    (ours,) = made.west.association.children
    assert [(one.protocol, one.start_port) for one in ours.agreement.remote_ts] == [(17, 1701)]


def test_where_only_tunnel_mode_is_configured_the_peers_own_addresses_count() -> None:
    """(RFC 7296 section 2.23.1)"""
    pair = through("west")
    inner = TrafficSelector.of_network(ip_network("192.0.2.1/32"))
    settings = child(local_ts=ANY, remote_ts=(SelectorTemplate(inner),))
    east = replace(pair.east_settings.connections[0], children=(settings,))
    made = Pair(dynamic(), east)
    made.nat = pair.nat
    made.east.association = made.responder(replace(WEST, address=PUBLIC))
    made.initiate()
    made.settle()
    assert "TSi, TSr}" in made.trace[3]
    assert "tunnel mode" in made.west.answers[0].text
