"""This host's addresses change under an association."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from ikeactors.protocol.events import Address, LocalAddressesChanged
from tests.pair import WEST, Pair

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
