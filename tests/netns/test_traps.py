"""The first packet brings a tunnel up and passes it, again after the tunnel has gone."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.peer import Section, established, only_child
from tests.lab.traffic import Pings, nothing_passes, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

TRAP: Section = {"start_action": "trap"}


def test_no_packet_is_lost_though_the_first_brings_the_tunnel_up(network: Network) -> None:
    """(RFC 7296 section 2.9)"""
    ours = connection(network, network.west, child=TRAP)
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        wait_until(partial(_is_set, west), 5.0, "the traps are set")
        assert established(west, CONNECTION) is None
        for version in CHILD:
            assert ping(network.west, network.east, version) == 3
        east.expect_logged(f"Child SA {CHILD[4]} is up")

        west.down(CONNECTION)
        wait_until(lambda: established(west, CONNECTION) is None, 5.0, "the tunnel is down")
        assert ping(network.west, network.east) == 3


def test_a_storm_of_packets_negotiates_once(network: Network) -> None:
    ours = connection(network, network.west, child=TRAP)
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        wait_until(partial(_is_set, west), 5.0, "the traps are set")
        with Pings.start(network.west, network.east, count=200, interval=0.002) as pings:
            pings.expect_no_loss()
        assert west.log.count("initiating connection") == 1
        assert only_child(west, CONNECTION, CHILD[4]) is not None


def test_what_is_to_be_protected_does_not_leave_in_the_clear(network: Network) -> None:
    """Nobody answers at the other end, and its host is there."""
    ours = connection(network, network.west, child=TRAP)
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        wait_until(partial(_is_set, west), 5.0, "the traps are set")
        assert nothing_passes(network.west, network.east)
        west.expect_logged(f"needs child {CHILD[4]}")


def _is_set(peer: IkeactorsPeer) -> bool:
    """Three policies for each family are in the data plane."""
    return peer.json("statistics")["userspace"]["policies"] == 3 * len(CHILD)
