"""A path that is dead: the request goes all other ways, and its answer says which works."""

from __future__ import annotations

from ikeactors.protocol.events import DatagramReceived, RekeyRequested
from tests.protocol.roaming import EAST_1, EAST_2, EAST_6, WEST_1, WEST_2, WEST_6, RoamingPair


def broken(west: tuple, east: tuple) -> RoamingPair:
    """A pair at these addresses, whose first path dies when it is established."""
    pair = RoamingPair()
    pair.hosts = {"west": west, "east": east}
    pair.establish()
    first = {west[0], east[0]}

    def carries(datagram: DatagramReceived) -> bool:
        return {datagram.local.address, datagram.remote.address} != first

    pair.carries = carries
    return pair


def test_the_peers_other_address_is_found_when_the_path_dies() -> None:
    """(RFC 4555 section 3.10)"""
    pair = broken((WEST_1,), (EAST_1, EAST_2))
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.pass_time(60)
    assert pair.west.said("paths-probed")
    assert pair.west.said("path-found")
    pair.assert_at(WEST_1, EAST_2)
    assert pair.west.said("child-sa-rekeyed")


def test_our_other_address_is_found_when_the_path_dies() -> None:
    pair = broken((WEST_1, WEST_2), (EAST_1,))
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.pass_time(60)
    pair.assert_at(WEST_2, EAST_1)


def test_the_other_family_is_found_when_the_path_dies() -> None:
    pair = broken((WEST_1, WEST_6), (EAST_1, EAST_6))
    pair.give(pair.west, RekeyRequested())
    pair.pass_time(60)
    pair.assert_at(WEST_6, EAST_6)
    assert pair.west.said("ike-sa-rekeyed")


def test_the_first_retransmission_takes_the_path_there_is() -> None:
    pair = broken((WEST_1, WEST_2), (EAST_1,))
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.to_next_timer()
    assert not pair.flights
    pair.to_next_timer()
    assert len(pair.flights) == 1


def test_a_responder_leaves_it_to_the_initiator_to_find_a_path() -> None:
    """(RFC 4555 section 3.11)"""
    pair = broken((WEST_1, WEST_2), (EAST_1,))
    pair.give(pair.east, RekeyRequested(child="net"))
    pair.pass_time(40)
    assert pair.east.association.remote.address == WEST_1
    pair.give(pair.west, RekeyRequested())
    pair.pass_time(100)
    pair.assert_at(WEST_2, EAST_1)


def test_where_no_path_works_the_peer_is_given_up() -> None:
    pair = broken((WEST_1, WEST_2), (EAST_1, EAST_2))
    pair.carries = lambda datagram: False
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.pass_time(300)
    assert pair.west.association.closed
    assert "does not answer" in pair.west.association.failure


def test_an_answer_by_a_way_that_was_not_tried_moves_nothing() -> None:
    pair = broken((WEST_1,), (EAST_1, EAST_2))
    pair.give(pair.west, RekeyRequested(child="net"))
    for _ in range(2):
        pair.to_next_timer()
    pair.deliver(pair.flights[0])
    (flight,) = pair.flights
    elsewhere = flight.datagram.remote.__class__(WEST_6, 4500)
    flight.datagram = flight.datagram.__class__(
        flight.datagram.octets, flight.datagram.local, elsewhere
    )
    pair.deliver(flight)
    assert pair.west.association.remote.address == EAST_1
