"""This host's addresses change under an association."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from ikeactors.protocol.actions import MoveChildSa
from ikeactors.protocol.events import Address, LocalAddressesChanged, RekeyRequested
from tests.pair import WEST, Pair
from tests.protocol.roaming import EAST_1, EAST_2, EAST_6, WEST_1, WEST_2, WEST_6, RoamingPair

ELSEWHERE = ip_address("203.0.113.5")


def standing(*addresses: Address) -> Pair:
    """An established pair whose western host has these addresses."""
    pair = Pair().establish()
    association = pair.west.association
    association.surroundings = replace(association.surroundings, addresses=lambda: addresses)
    return pair


def test_an_address_that_is_gone_makes_us_ask_the_peer() -> None:
    pair = standing(ELSEWHERE)
    pair.give(pair.west, LocalAddressesChanged())
    assert pair.west.said("local-address-lost")
    pair.settle()
    assert pair.trace[-2:] == ["--> HDR, SK {}", "<-- HDR, SK {}"]
    assert pair.west.association.local.address == WEST.address


def test_an_address_that_is_there_is_left_alone() -> None:
    pair = standing(WEST.address, ELSEWHERE)
    sent = pair.sent
    pair.give(pair.west, LocalAddressesChanged())
    assert pair.sent == sent


def test_nothing_follows_from_addresses_that_are_not_known() -> None:
    pair = standing()
    sent = pair.sent
    pair.give(pair.west, LocalAddressesChanged())
    assert pair.sent == sent


def test_who_is_not_established_does_not_look() -> None:
    pair = Pair()
    pair.initiate()
    pair.give(pair.west, LocalAddressesChanged())
    assert pair.sent == 1


UPDATE = (
    "--> HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP), "
    "N(NAT_DETECTION_DESTINATION_IP), N(NO_ADDITIONAL_ADDRESSES), N(COOKIE2)}"
)
UPDATED = "<-- HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(COOKIE2)}"
CHECK = ["<-- HDR, SK {N(COOKIE2)}", "--> HDR, SK {N(COOKIE2)}"]


def test_an_initiator_that_moves_takes_its_child_sas_along() -> None:
    """(RFC 4555 section 3.5)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    assert pair.trace[4:] == [UPDATE, UPDATED, *CHECK]
    pair.assert_at(WEST_2, EAST_1)
    assert pair.west.said("path-changed")
    assert pair.east.said("path-changed")


def test_child_sas_are_moved_and_keep_their_keys_and_spis() -> None:
    pair = RoamingPair().establish()
    before = {sa_id.spi: sa.encr_key for sa_id, sa in pair.east.sas.items()}
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    assert {sa_id.spi: sa.encr_key for sa_id, sa in pair.east.sas.items()} == before
    for end in pair.ends():
        assert len([one for one in end.actions if isinstance(one, MoveChildSa)]) == 1


def test_an_initiator_moves_from_ipv4_to_ipv6_and_back() -> None:
    pair = RoamingPair()
    pair.hosts["east"] = (EAST_1, EAST_6)
    pair.establish()
    pair.readdress(pair.west, WEST_6)
    pair.settle()
    pair.assert_at(WEST_6, EAST_6)
    pair.readdress(pair.west, WEST_1)
    pair.settle()
    pair.assert_at(WEST_1, EAST_1)


def test_the_address_that_routes_prefer_is_taken_though_the_other_is_there() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2, WEST_1)
    pair.settle()
    pair.assert_at(WEST_2, EAST_1)


def test_a_further_address_is_told_and_moves_nothing() -> None:
    """(RFC 4555 section 3.6)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_1, WEST_2)
    pair.settle()
    assert pair.trace[4:] == ["--> HDR, SK {N(ADDITIONAL_IP4_ADDRESS)}", "<-- HDR, SK {}"]
    assert pair.east.association.mobike
    assert pair.east.association.mobike.peers == (WEST_2,)
    pair.readdress(pair.west, WEST_1)
    pair.settle()
    assert pair.trace[6:] == ["--> HDR, SK {N(NO_ADDITIONAL_ADDRESSES)}", "<-- HDR, SK {}"]
    assert pair.east.association.mobike.peers == ()


def test_routes_that_change_nothing_for_the_peer_are_passed_over() -> None:
    pair = RoamingPair().establish()
    sent = pair.sent
    for end in pair.ends():
        pair.give(end, LocalAddressesChanged())
    assert pair.sent == sent


def test_an_address_that_comes_back_goes_on_where_it_was() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_6)
    assert pair.west.said("path-lost")
    pair.give(pair.west, RekeyRequested(child="net"))
    assert not pair.flights
    pair.readdress(pair.west, WEST_1)
    pair.settle()
    pair.pass_time(10)
    pair.assert_at(WEST_1, EAST_1)
    assert pair.west.said("child-sa-rekeyed")


def test_a_responder_whose_address_is_gone_moves_and_tells_the_initiator() -> None:
    """(RFC 4555 section 3.5)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.east, EAST_2)
    assert {sa.source for sa in pair.east.sas.values()} == {EAST_2, WEST_1}
    pair.settle()
    assert pair.trace[4:] == [
        "<-- HDR, SK {N(NO_ADDITIONAL_ADDRESSES)}",
        "--> HDR, SK {}",
        UPDATE,
        UPDATED,
    ]
    pair.assert_at(WEST_1, EAST_2)


def test_a_responder_stays_as_long_as_its_address_does() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.east, EAST_2, EAST_1)
    pair.settle()
    pair.assert_at(WEST_1, EAST_1)
    assert pair.west.association.mobike
    assert pair.west.association.mobike.peers == (EAST_2,)


def test_a_responder_reaches_an_initiator_at_its_other_address() -> None:
    """(RFC 4555 section 3.6)"""
    pair = RoamingPair()
    pair.hosts["west"] = (WEST_1, WEST_6)
    pair.establish()
    pair.readdress(pair.east, EAST_6)
    pair.settle()
    pair.assert_at(WEST_6, EAST_6)


def test_both_ends_move_at_once() -> None:
    pair = RoamingPair()
    pair.hosts["east"] = (EAST_1, EAST_6)
    pair.hosts["west"] = (WEST_1, WEST_6)
    pair.establish()
    pair.hosts["east"] = (EAST_6,)
    pair.readdress(pair.west, WEST_6)
    pair.give(pair.east, LocalAddressesChanged())
    pair.settle()
    pair.assert_at(WEST_6, EAST_6)


def test_a_request_under_way_goes_on_from_the_new_address() -> None:
    """(RFC 4555 section 3.5)"""
    pair = RoamingPair().establish()
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.drop()
    pair.readdress(pair.west, WEST_2)
    assert len(pair.flights) == 1
    pair.settle()
    pair.pass_time(10)
    pair.assert_at(WEST_2, EAST_1)
    assert pair.west.said("child-sa-rekeyed")


def test_an_answer_to_an_update_that_is_not_true_any_more_moves_nothing() -> None:
    """(RFC 4555 section 3.5)"""
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_2, WEST_1)
    pair.deliver(pair.flights[0])
    pair.hosts["west"] = (WEST_1, WEST_2)
    pair.give(pair.west, LocalAddressesChanged())
    pair.settle()
    pair.assert_at(WEST_1, EAST_1)


def test_a_host_that_flaps_ends_where_it_stops() -> None:
    pair = RoamingPair().establish()
    for _ in range(20):
        pair.readdress(pair.west, WEST_2)
        pair.readdress(pair.west, WEST_1)
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    pair.pass_time(60)
    pair.assert_at(WEST_2, EAST_1)


def test_an_ike_sa_that_is_rekeyed_while_the_host_moves_goes_along() -> None:
    pair = RoamingPair().establish()
    pair.give(pair.west, RekeyRequested())
    pair.deliver(pair.flights[0])
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    pair.pass_time(30)
    pair.assert_at(WEST_2, EAST_1)
    assert pair.west.said("ike-sa-rekeyed")
