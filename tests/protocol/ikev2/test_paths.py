"""Following a peer that moves: only by fresh messages that are proven to be its own."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.iana import ExchangeType
from ikeactors.kernel.requests import Encapsulation
from ikeactors.protocol.actions import MoveChildSa, SendDatagram
from ikeactors.protocol.events import DatagramReceived, Endpoint, RekeyRequested, SaMappingChanged
from tests.pair import EAST, WEST, Pair
from tests.protocol.forging import answers, request, sealed, sent_by, standing
from tests.protocol.ikev2.test_nat import PUBLIC, behind_nat, translated

INFORMATIONAL = ExchangeType.INFORMATIONAL
ELSEWHERE = Endpoint(ip_address("203.0.113.5"), 6000)


def test_a_nat_that_maps_anew_moves_the_peer_and_its_child_sas() -> None:
    """(RFC 7296 section 2.23)"""
    pair = behind_nat()
    translated(pair, 50000)
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.settle()
    assert pair.east.association.remote == Endpoint(PUBLIC, 54500)
    (moved,) = [one for one in pair.east.actions if isinstance(one, MoveChildSa)]
    assert len(moved.sas) == 2
    assert pair.east.said("peer-moved")
    pair.pass_time(6)
    for sa in pair.east.sas.values():
        assert sa.encapsulation in (Encapsulation(4500, 54500), Encapsulation(54500, 4500))
    assert len(pair.east.sas) == 2
    assert len(pair.east.policies) == 3


def test_a_response_from_elsewhere_moves_the_peer_too() -> None:
    pair = behind_nat()
    pair.give(pair.east, RekeyRequested(child="net"))
    pair.deliver(pair.flights[0])
    flight = pair.flights[0]
    flight.datagram = replace(flight.datagram, remote=ELSEWHERE)
    pair.deliver(flight)
    assert pair.east.association.remote == ELSEWHERE
    assert {sa.destination for sa in pair.east.sas.values()} == {
        ELSEWHERE.address,
        pair.east.association.local.address,
    }


def test_an_old_message_from_elsewhere_moves_nobody() -> None:
    """G15"""
    pair = behind_nat()
    octets = sealed(pair.west, INFORMATIONAL, ())
    request(pair, pair.west, INFORMATIONAL)
    answers(pair, pair.west)
    here = pair.east.association.remote
    pair.nat = lambda datagram: datagram
    datagram = replace(sent_by(pair, pair.west, octets), remote=ELSEWHERE)
    pair.give(pair.east, datagram)
    pair.give(pair.east, replace(datagram, octets=octets[:-1] + b"\0"))
    assert pair.east.association.remote == here
    assert [flight.datagram.local for flight in pair.flights] == [ELSEWHERE]


def test_junk_from_elsewhere_moves_nobody() -> None:
    """G15"""
    pair = behind_nat()
    octets = bytearray(sealed(pair.west, INFORMATIONAL, ()))
    octets[-1] ^= 1
    before = standing(pair.east)
    pair.give(pair.east, replace(sent_by(pair, pair.west, bytes(octets)), remote=ELSEWHERE))
    assert standing(pair.east) == before


def test_a_peer_that_is_behind_no_nat_does_not_move() -> None:
    pair = Pair().establish()
    octets = sealed(pair.west, INFORMATIONAL, ())
    pair.give(pair.east, replace(sent_by(pair, pair.west, octets), remote=ELSEWHERE))
    assert pair.east.association.remote == WEST
    assert not [one for one in pair.east.actions if isinstance(one, MoveChildSa)]


def test_who_is_behind_a_nat_itself_does_not_follow() -> None:
    pair = behind_nat()
    octets = sealed(pair.east, INFORMATIONAL, ())
    here = pair.west.association.remote
    pair.give(pair.west, replace(sent_by(pair, pair.east, octets), remote=ELSEWHERE))
    assert pair.west.association.remote == here


def test_a_mapping_that_the_data_plane_has_seen_is_followed() -> None:
    pair = behind_nat()
    sa_id = next(iter(pair.east.sas))
    pair.give(pair.east, SaMappingChanged(sa_id, ELSEWHERE))
    assert pair.east.association.remote == ELSEWHERE
    assert len(pair.east.sas) == 2
    pair = Pair().establish()
    pair.give(pair.east, SaMappingChanged(next(iter(pair.east.sas)), ELSEWHERE))
    assert pair.east.association.remote == WEST


def test_with_mobike_the_ike_sa_does_not_follow_esp() -> None:
    """(RFC 4555 section 3.8)"""
    pair = behind_nat(mobike=True)
    here = pair.east.association.remote
    for remote in (ELSEWHERE, here):
        pair.give(pair.east, SaMappingChanged(next(iter(pair.east.sas)), remote))
        assert pair.east.association.remote == here
        (one,) = pair.east.association.children
        assert one.outbound.destination == remote.address
        assert one.outbound.encapsulation.destination_port == remote.port


@pytest.mark.parametrize("port", [500, 4500, 6000])
def test_an_answer_goes_where_its_request_came_from(port: int) -> None:
    """(RFC 7296 section 2.11)"""
    pair = Pair().establish()
    octets = sealed(pair.west, INFORMATIONAL, ())
    remote, local = replace(ELSEWHERE, port=port), replace(EAST, port=4500)
    pair.give(pair.east, DatagramReceived(octets, local, remote))
    answer = [one for one in pair.east.actions if isinstance(one, SendDatagram)][-1]
    assert (answer.local, answer.remote) == (local, remote)
