"""MOBIKE is agreed on in IKE_AUTH, and each end tells the other its addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.iana import NotifyType
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.mobike import MAX_ADDITIONAL, read_additional
from ikeactors.protocol.ikev2.nat import NatSituation
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import AddressPattern
from ikeactors.wire.payload import Notify
from tests.pair import EAST, WEST, connection, opposite
from tests.protocol.ikev2.test_nat import PUBLIC, translated
from tests.protocol.roaming import EAST_1, EAST_6, WEST_1, WEST_2, WEST_6, RoamingPair


def test_both_ends_say_in_ike_auth_that_they_speak_mobike() -> None:
    """(RFC 4555 section 3.2)"""
    pair = RoamingPair().establish()
    assert all("N(MOBIKE_SUPPORTED)" in line for line in pair.trace[2:4])
    west, east = pair.west.association.mobike, pair.east.association.mobike
    assert west and west.decides
    assert east and not east.decides


@pytest.mark.parametrize("speaks", ["west", "east"])
def test_one_end_alone_does_not_speak_it(speaks: str) -> None:
    west = connection(mobike=speaks == "west")
    east = replace(opposite(west), mobike=speaks == "east")
    pair = RoamingPair(west, east).establish()
    assert pair.west.association.mobike is None
    assert pair.east.association.mobike is None
    assert "MOBIKE" not in pair.trace[3]


def test_with_mobike_both_ends_change_to_port_4500_without_a_nat() -> None:
    """(RFC 4555 section 3.3)"""
    pair = RoamingPair().establish()
    for end in pair.ends():
        assert (end.association.local.port, end.association.remote.port) == (4500, 4500)
        assert not any(sa.encapsulation for sa in end.sas.values())


def test_the_other_addresses_are_told_in_ike_auth() -> None:
    """(RFC 4555 section 3.4)"""
    pair = RoamingPair()
    pair.hosts = {
        "west": (WEST_1, WEST_2, WEST_6, ip_address("127.0.0.1"), ip_address("fe80::1")),
        "east": (EAST_1, EAST_6),
    }
    pair.establish()
    assert pair.east.association.mobike
    assert pair.east.association.mobike.peers == (WEST_2, WEST_6)
    assert pair.west.association.mobike
    assert pair.west.association.mobike.peers == (EAST_6,)


def test_only_addresses_that_the_connection_may_use_are_told() -> None:
    west = connection(
        mobike=True, local_addrs=(AddressPattern(WEST_1, WEST_1), AddressPattern(WEST_6, WEST_6))
    )
    pair = RoamingPair(west, replace(opposite(west), local_addrs=(), remote_addrs=()))
    pair.hosts["west"] = (WEST_1, WEST_2, WEST_6)
    pair.establish()
    assert pair.east.association.mobike
    assert pair.east.association.mobike.peers == (WEST_6,)


def test_of_very_many_addresses_a_few_are_told_and_kept() -> None:
    pair = RoamingPair()
    many = tuple(ip_address(f"198.51.100.{number}") for number in range(1, 100))
    pair.hosts["west"] = (WEST_1, *many)
    pair.establish()
    assert pair.east.association.mobike
    assert pair.east.association.mobike.peers == many[:MAX_ADDITIONAL]
    told = tuple(Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, one.packed) for one in many)
    assert len(read_additional(told)) == MAX_ADDITIONAL


def test_who_began_decides_also_after_the_peer_has_rekeyed_the_ike_sa() -> None:
    pair = RoamingPair().establish()
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    assert not pair.west.association.ike_sa.spis.original_initiator
    pair.readdress(pair.west, WEST_2)
    pair.settle()
    pair.assert_at(WEST_2, EAST_1)


class Unaware(Association):
    """An initiator that sees nothing of the peer's NAT detection."""

    def keyed(self, ike_sa: IkeSa, transcript: Transcript, nat: NatSituation | None) -> None:
        super().keyed(ike_sa, transcript, None)


def unaware() -> RoamingPair:
    """A pair whose initiator does not traverse NATs."""
    pair = RoamingPair()
    west = pair.west.association
    pair.west.association = Unaware.initiating(
        west.settings, west.connection, WEST, EAST, west.surroundings
    )
    return pair


def test_without_nat_traversal_nats_are_forbidden_and_the_port_stays() -> None:
    """(RFC 4555 section 3.9)"""
    pair = unaware().establish()
    assert "N(NO_NATS_ALLOWED)" in pair.trace[2]
    assert pair.west.association.local.port == 500


def test_an_ike_auth_that_forbids_nats_and_has_passed_one_is_refused() -> None:
    """(RFC 4555 section 3.9)"""
    pair = unaware()
    translated(pair)
    pair.hosts["west"] = (WEST_1, PUBLIC)
    pair.initiate()
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(UNEXPECTED_NAT_DETECTED)}"
    assert not pair.west.association.established
    assert "UNEXPECTED_NAT_DETECTED" in pair.west.association.failure
