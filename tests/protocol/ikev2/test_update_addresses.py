"""MOBIKE's exchanges where something is wrong: refusals, NATs, checks that fail."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.kernel.requests import Encapsulation, Mode
from ikeactors.protocol.actions import SendKeepalive
from ikeactors.protocol.events import Endpoint, TimerExpired
from ikeactors.protocol.ikev2.nat import NatSituation
from ikeactors.protocol.settings import AddressPattern
from ikeactors.wire.payload import Notify
from tests.pair import child, connection, opposite
from tests.protocol.forging import request, sealed
from tests.protocol.ikev2.test_nat import PUBLIC, translated
from tests.protocol.roaming import EAST_1, EAST_2, WEST_1, WEST_2, RoamingPair

INFORMATIONAL = ExchangeType.INFORMATIONAL
COOKIE = Notify(NotifyType.COOKIE2, b"sixteen octets..")
UPDATE = Notify(NotifyType.UPDATE_SA_ADDRESSES)


def behind_nat(**changes: object) -> RoamingPair:
    """West is behind a NAT."""
    pair = RoamingPair(connection(mobike=True, **changes))
    pair.hosts["west"] = (WEST_1,)
    translated(pair)
    pair.east.association = pair.responder(Endpoint(PUBLIC, 40500))
    pair.carries = lambda datagram: True
    return pair.establish()


def test_cookie2_comes_back_as_it_was_sent() -> None:
    """(RFC 4555 section 3.7)"""
    pair = RoamingPair().establish()
    for end in pair.ends():
        request(pair, end, INFORMATIONAL, COOKIE)
        assert "SK {N(COOKIE2)}" in pair.trace[-1]
        pair.drop()


def test_without_mobike_its_notifies_are_passed_over() -> None:
    pair = RoamingPair(connection(mobike=False)).establish()
    request(pair, pair.west, INFORMATIONAL, UPDATE, COOKIE)
    assert pair.trace[-1] == "<-- HDR, SK {}"


def test_an_initiator_takes_no_update_from_a_responder() -> None:
    pair = RoamingPair().establish()
    pair.hosts["east"] = (EAST_1, EAST_2)
    request(pair, pair.east, INFORMATIONAL, UPDATE)
    assert pair.west.association.remote.address == EAST_1
    assert pair.trace[-1] == "--> HDR, SK {}"


@pytest.mark.parametrize("instead", [(), (COOKIE,)])
def test_an_answer_without_our_cookie2_closes_the_ike_sa(instead: tuple[Notify, ...]) -> None:
    """(RFC 4555 section 3.7)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2)
    (flight,) = pair.flights
    pair.drop()
    message_id = pair.west.association.ike_sa.requests.next_id - 1
    octets = sealed(pair.east, INFORMATIONAL, instead, message_id=message_id, is_response=True)
    flight = replace(
        flight,
        receiver=pair.west,
        datagram=replace(
            flight.datagram,
            octets=octets,
            local=flight.datagram.remote,
            remote=flight.datagram.local,
        ),
    )
    pair.flights.append(flight)
    pair.deliver(flight)
    assert pair.trace[-1] == "--> HDR, SK {D}"


def test_who_does_not_receive_where_it_says_it_is_gets_no_esp_there() -> None:
    """(RFC 4555 section 3.7)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2)
    pair.carries = lambda datagram: datagram.local.address != WEST_2
    pair.settle()
    pair.pass_time(30)
    assert {sa.destination for sa in pair.east.sas.values()} == {WEST_1, EAST_1}


def narrow(*addresses: object) -> RoamingPair:
    """East takes a peer at these addresses only."""
    west = connection(mobike=True)
    patterns = tuple(AddressPattern(one, one) for one in addresses)
    return RoamingPair(west, replace(opposite(west), remote_addrs=patterns)).establish()


def test_a_place_that_the_responder_does_not_accept_is_left_again() -> None:
    """(RFC 4555 section 3.5)"""
    pair = narrow(WEST_1)
    pair.readdress(pair.west, WEST_2, WEST_1)
    pair.settle()
    assert pair.trace[5] == "<-- HDR, SK {N(UNACCEPTABLE_ADDRESSES), N(COOKIE2)}"
    pair.assert_at(WEST_1, EAST_1)
    assert pair.west.said("addresses-refused")
    assert "remote_addrs" in pair.east.said("addresses-refused")[0].text


def test_where_there_is_no_other_place_a_refused_ike_sa_is_deleted() -> None:
    pair = narrow(WEST_1)
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    assert pair.west.association.closed
    assert not pair.west.sas


def test_an_update_that_forbids_nats_is_refused_behind_one() -> None:
    """(RFC 4555 section 3.9)"""
    pair = RoamingPair().establish()
    pair.west.association.nat = NatSituation()
    pair.nat = lambda datagram: (
        replace(datagram, remote=Endpoint(PUBLIC, 4500))
        if datagram.remote.address == WEST_2
        else replace(datagram, local=Endpoint(WEST_2, 4500))
        if datagram.local.address == PUBLIC
        else datagram
    )
    pair.readdress(pair.west, WEST_2, WEST_1)
    pair.settle()
    tries = pair.west.association.connection.retransmission.tries
    refusals = [line for line in pair.trace if "UNEXPECTED_NAT_DETECTED" in line]
    assert len(refusals) == tries + 1
    pair.assert_at(WEST_1, EAST_1)


def test_a_host_that_moves_behind_a_nat_goes_on_in_udp() -> None:
    pair = RoamingPair().establish()
    translated(pair)
    pair.readdress(pair.west, WEST_1, WEST_2)
    assert not any(sa.encapsulation for sa in pair.west.sas.values())
    pair.hosts["west"] = (WEST_2, WEST_1)

    def nat(datagram):
        if datagram.remote.address == WEST_2:
            return replace(datagram, remote=Endpoint(PUBLIC, 44500))
        if datagram.local.address == PUBLIC:
            return replace(datagram, local=Endpoint(WEST_2, 4500))
        return datagram

    pair.nat = nat
    pair.drop()
    pair.readdress(pair.west, WEST_2, WEST_1)
    pair.settle()
    pair.pass_time(30)
    assert pair.west.association.nat.local
    assert pair.east.association.nat.remote
    for sa in pair.east.sas.values():
        assert sa.encapsulation in (Encapsulation(4500, 44500), Encapsulation(44500, 4500))
    assert any(isinstance(one, SendKeepalive) for one in pair.west.actions)
    pair.nat = lambda datagram: datagram
    pair.readdress(pair.west, WEST_1)
    pair.settle()
    pair.assert_at(WEST_1, EAST_1)
    assert not any(sa.encapsulation for sa in pair.east.sas.values())


def test_liveness_behind_a_nat_notices_a_new_mapping() -> None:
    """(RFC 4555 section 3.8)"""
    pair = behind_nat(dpd_delay=10.0)
    pair.pass_time(15)
    translated(pair, 50000)
    pair.pass_time(15)
    assert pair.west.said("nat-mapping-changed")
    assert pair.east.association.remote == Endpoint(PUBLIC, 54500)
    for sa in pair.east.sas.values():
        assert sa.encapsulation in (Encapsulation(4500, 54500), Encapsulation(54500, 4500))


def test_an_ordinary_message_from_elsewhere_moves_nobody() -> None:
    """(RFC 4555 section 3.8)"""
    pair = behind_nat()
    translated(pair, 50000)
    request(pair, pair.west, INFORMATIONAL)
    assert pair.east.association.remote == Endpoint(PUBLIC, 44500)


def test_a_child_in_transport_mode_stays_where_it_was() -> None:
    west = connection(mobike=True, children=(child(mode=Mode.TRANSPORT),))
    pair = RoamingPair(west).establish()
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    assert pair.west.said("child-sa-not-moved")
    assert {sa.source for sa in pair.west.sas.values()} == {WEST_1, EAST_1}


def test_malformed_addresses_close_the_ike_sa() -> None:
    pair = RoamingPair().establish()
    request(pair, pair.west, INFORMATIONAL, Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, b"123"))
    assert "INVALID_SYNTAX" in pair.trace[-1]
    assert pair.east.association.closed


def test_an_update_that_is_lost_is_sent_again() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2)
    pair.drop()
    pair.pass_time(10)
    pair.assert_at(WEST_2, EAST_1)


def test_nobody_is_moved_by_what_an_old_address_repeats() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2)
    replayed = pair.flights[0].datagram
    pair.settle()
    pair.readdress(pair.west, ip_address("192.0.2.77"))
    pair.settle()
    pair.give(pair.east, replayed)
    pair.give(pair.east, TimerExpired())
    assert pair.east.association.remote.address == ip_address("192.0.2.77")
