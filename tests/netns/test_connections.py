"""Connections that start by themselves, and connections that leave each other alone."""

from __future__ import annotations

import time

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.peer import Section, established, only_child
from tests.lab.traffic import Pings, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection, connection_settings

pytestmark = pytest.mark.netns

QUICK: Section = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 3}
FOREVER: Section = {**QUICK, "keyingtries": 0}
STARTED: Section = {"start_action": "start"}


def test_a_child_with_start_action_start_comes_up_by_itself(network: Network) -> None:
    ours = connection(network, network.west, child=STARTED, options=QUICK)
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        wait_until(lambda: only_child(west, CONNECTION, CHILD[4]), 10.0, "the first child is up")
        wait_until(lambda: only_child(west, CONNECTION, CHILD[6]), 10.0, "the second child is up")
        assert ping(network.west, network.east) == 3
        assert ping(network.west, network.east, version=6) == 3


def test_such_a_child_comes_up_when_its_peer_does_at_last(network: Network) -> None:
    ours = connection(network, network.west, child=STARTED, options=FOREVER)
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        wait_until(lambda: "answer" in west.command("status"), 15.0, "the first attempt fails")

        theirs = connection(network, network.east)
        with IkeactorsPeer(network.east, theirs, IDENTITIES):
            wait_until(lambda: established(west, CONNECTION), 30.0, "the tunnel is up")
            wait_until(lambda: only_child(west, CONNECTION, CHILD[4]), 5.0, "its child is up")
            assert ping(network.west, network.east) == 3


def test_such_a_child_comes_back_when_its_peer_starts_again(network: Network) -> None:
    ours = connection(
        network,
        network.west,
        child={**STARTED, "dpd_action": "restart"},
        options={**FOREVER, "dpd_delay": "1s"},
    )
    theirs = connection(network, network.east)
    with IkeactorsPeer(network.east, theirs, IDENTITIES) as east:
        west = IkeactorsPeer(network.west, ours, IDENTITIES)
        with west:
            first = wait_until(lambda: established(west, CONNECTION), 10.0, "the tunnel is up")
            east.kill()
            with IkeactorsPeer(network.east, theirs, IDENTITIES):

                def is_back() -> bool:
                    now = established(west, CONNECTION)
                    return now is not None and now.spi_i != first.spi_i

                wait_until(is_back, 30.0, "the tunnel is back")
                wait_until(lambda: only_child(west, CONNECTION, CHILD[4]), 5.0, "its child is up")
                assert ping(network.west, network.east) == 3


def test_a_broken_connection_costs_its_neighbour_no_ping(network: Network) -> None:
    broken = connection_settings(
        network,
        network.west,
        child={**STARTED, "local_ts": "10.8.0.0/24", "remote_ts": "10.9.0.0/24"},
        options={**FOREVER, "remote_addrs": "10.77.0.99"},
    )
    whole = connection_settings(network, network.west)
    both: Section = {"connections": {CONNECTION: whole, "broken": broken}}
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, both, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])
        with Pings.start(network.west, network.east, count=250) as pings:
            west.rekey_child(CONNECTION, CHILD[4])
            assert west.attempt("up", "broken", "--timeout", "2s").returncode == 1
            east.rekey_ike(CONNECTION)

            assert pings.running
            pings.expect_no_loss()


@pytest.mark.parametrize("offset", [0.0, 0.6, 2.0])
def test_two_ends_that_both_start_come_to_one_ike_sa(network: Network, offset: float) -> None:
    """The two-site configuration of the README, started on both sites about the same time."""
    ours = connection(network, network.west, child=STARTED)
    theirs = connection(network, network.east, child=STARTED)
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        time.sleep(offset)  # a peer that starts later is what this is about
        with IkeactorsPeer(network.east, theirs, IDENTITIES) as east:
            wait_until(lambda: agree_on_one(west, east), 15.0, "one IKE SA on both ends")
            assert ping(network.west, network.east) == 3
            assert ping(network.west, network.east, version=6) == 3
            assert agree_on_one(west, east)


def agree_on_one(west: IkeactorsPeer, east: IkeactorsPeer) -> bool:
    """Whether both ends have the same IKE SA and no other, with each child once."""
    ours, theirs = west.sas(), east.sas()
    if len(ours) != 1 or len(theirs) != 1:
        return False
    inbound = sorted(child.spi_in for child in ours[0].installed)
    outbound = sorted(child.spi_out for child in theirs[0].installed)
    return len(inbound) == len(CHILD) and inbound == outbound
