"""NAT detection: hashes, both ends, floating to port 4500, and a NAT that is feigned."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.iana import NotifyType
from ikeactors.kernel.requests import Direction, Encapsulation
from ikeactors.protocol.actions import SendDatagram, SendKeepalive
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.nat import NatSituation, address_hash, detect, detection_notifies
from ikeactors.wire.payload import Notify
from tests.pair import EAST, WEST, Pair, connection, opposite
from tests.protocol.forging import change_clear, initiated

SPI_I, SPI_R = b"\1" * 8, b"\2" * 8
PUBLIC = ip_address("198.51.100.9")
NOTIFIES = detection_notifies(SPI_I, SPI_R, WEST, EAST, feign=False)


def translated(pair: Pair, port: int = 40000) -> None:
    """West is behind a NAT from here on."""

    def nat(datagram: DatagramReceived) -> DatagramReceived:
        if datagram.remote.address == WEST.address:
            mapped = Endpoint(PUBLIC, port + datagram.remote.port)
            return replace(datagram, remote=mapped)
        return replace(datagram, local=Endpoint(WEST.address, datagram.local.port - port))

    pair.nat = nat


def behind_nat(**changes: object) -> Pair:
    west = connection(**changes)
    pair = Pair(west, replace(opposite(west), remote_addrs=()))
    translated(pair)
    pair.east.association = pair.responder(Endpoint(PUBLIC, 40500))
    return pair.establish()


def test_hashes_that_fit_say_that_there_is_no_nat() -> None:
    """(RFC 7296 section 2.23)"""
    found = detect(NOTIFIES, SPI_I, SPI_R, EAST, WEST)
    assert found == NatSituation(True, False, False)
    assert not found.present


@pytest.mark.parametrize(
    ("local", "remote", "situation"),
    [
        (EAST, replace(WEST, port=1000), NatSituation(True, False, True)),
        (replace(EAST, address=PUBLIC), WEST, NatSituation(True, True, False)),
        (replace(EAST, port=1), replace(WEST, port=2), NatSituation(True, True, True)),
    ],
)
def test_a_hash_that_does_not_fit_says_who_is_behind_a_nat(
    local: Endpoint, remote: Endpoint, situation: NatSituation
) -> None:
    assert detect(NOTIFIES, SPI_I, SPI_R, local, remote) == situation


def test_a_peer_with_several_addresses_sends_several_hashes() -> None:
    other = Notify(NotifyType.NAT_DETECTION_SOURCE_IP, bytes(20))
    assert not detect((other, *NOTIFIES), SPI_I, SPI_R, EAST, WEST).remote


@pytest.mark.parametrize("payloads", [(), NOTIFIES[:1], NOTIFIES[1:]])
def test_a_peer_that_sends_not_both_hashes_does_not_take_part(
    payloads: tuple[Notify, ...],
) -> None:
    assert detect(payloads, SPI_I, SPI_R, EAST, WEST) == NatSituation()


def test_a_hash_is_of_the_spis_the_address_and_the_port() -> None:
    hashes = {
        address_hash(SPI_I, SPI_R, WEST),
        address_hash(SPI_R, SPI_I, WEST),
        address_hash(SPI_I, SPI_R, EAST),
        address_hash(SPI_I, SPI_R, replace(WEST, port=4500)),
        address_hash(SPI_I, SPI_R, Endpoint(ip_address("2001:db8::1"), 500)),
    }
    assert len(hashes) == 5
    assert {len(one) for one in hashes} == {20}


def test_behind_a_nat_both_ends_float_to_port_4500() -> None:
    pair = behind_nat()
    sent = [one for one in pair.west.actions if isinstance(one, SendDatagram)]
    assert [(one.local.port, one.remote.port) for one in sent] == [(500, 500), (4500, 4500)]
    assert pair.east.association.remote == Endpoint(PUBLIC, 44500)
    west, east = (end.association.snapshot(pair.now) for end in pair.ends())
    assert (west.nat_local, west.nat_remote) == (True, False)
    assert (east.nat_local, east.nat_remote) == (False, True)


def test_behind_a_nat_esp_goes_in_udp() -> None:
    pair = behind_nat()
    for sa in pair.east.sas.values():
        out = sa.direction is Direction.OUT
        assert sa.encapsulation == (
            Encapsulation(4500, 44500) if out else Encapsulation(44500, 4500)
        )
        assert (sa.destination if out else sa.source) == PUBLIC
    for sa in pair.west.sas.values():
        assert sa.encapsulation == Encapsulation(4500, 4500)


def test_without_a_nat_esp_goes_by_itself() -> None:
    pair = Pair().establish()
    assert all(sa.encapsulation is None for end in pair.ends() for sa in end.sas.values())
    assert pair.west.association.remote == EAST


def test_who_is_behind_a_nat_keeps_its_mapping_alive() -> None:
    """(RFC 3948 section 4)"""
    pair = behind_nat(keepalive=20.0)
    pair.pass_time(61)
    west, east = (
        [one for one in end.actions if isinstance(one, SendKeepalive)] for end in pair.ends()
    )
    assert len(west) == 3
    assert west[0] == SendKeepalive(replace(WEST, port=4500), replace(EAST, port=4500))
    assert east == []


def test_no_keepalives_where_they_are_off() -> None:
    pair = behind_nat(keepalive=0.0)
    pair.pass_time(100)
    assert not [one for one in pair.west.actions if isinstance(one, SendKeepalive)]


@pytest.mark.parametrize("end", ["west", "east", "both"])
def test_a_nat_is_feigned_where_esp_must_go_in_udp(end: str) -> None:
    plain, encap = connection(), connection(encap=True)
    west = encap if end in ("west", "both") else plain
    east = opposite(encap if end in ("east", "both") else plain)
    pair = Pair(west, east).establish()
    assert pair.west.association.remote == replace(EAST, port=4500)
    for one in pair.ends():
        assert all(sa.encapsulation == Encapsulation(4500, 4500) for sa in one.sas.values())
    pair.assert_mirrored()


def test_a_data_plane_that_knows_only_udp_feigns_a_nat() -> None:
    pair = Pair(encapsulate=True).establish()
    for one in pair.ends():
        assert all(sa.encapsulation is not None for sa in one.sas.values())


def test_a_peer_that_does_not_take_part_gets_no_hashes() -> None:
    pair = initiated()
    change_clear(
        pair.flights[0],
        lambda payloads: tuple(one for one in payloads if not isinstance(one, Notify)),
    )
    pair.deliver(pair.flights[0])
    assert pair.trace[-1] == "<-- HDR, SAr1, KEr, Nr, N(CHILDLESS_IKEV2_SUPPORTED)"
