"""Two daemons whose addresses change under a tunnel (RFC 4555)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import expectations
from tests.lab.commands import wait_until
from tests.lab.namespaces import direct
from tests.lab.pair import Pair
from tests.lab.roaming import OTHER, add, remove, roaming
from tests.lab.traffic import Pings

pytestmark = pytest.mark.netns

BOTH = ("ikeactors", "ikeactors")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with direct() as network, roaming(network, BOTH) as made:
        made.up()
        yield made


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_a_tunnel_survives_the_move_of_an_end(pair: Pair, side: str) -> None:
    gateway = pair.side(side).gateway
    add(gateway)
    with Pings.start(pair.network.west, pair.network.east, count=200) as pings:
        remove(gateway, gateway.outer[4])
        # Half a second passes until the storm of events is over.
        assert pings.received() > 120
    expectations.expect_traffic(pair)
    assert pair.agrees()
    assert OTHER[gateway.label][4] in pair.west.log


def test_a_tunnel_moves_from_ipv4_to_ipv6_and_back(pair: Pair) -> None:
    west = pair.network.west
    with Pings.start(west, pair.network.east, count=200) as pings:
        remove(west, west.outer[4])
        assert pings.received() > 120
    expectations.expect_traffic(pair)
    add(west, address=west.outer[4])
    remove(west, west.outer[6])
    with Pings.start(west, pair.network.east, count=200) as pings:
        assert pings.received() > 120
    expectations.expect_traffic(pair)


def test_a_tunnel_waits_for_an_address_that_comes_back(pair: Pair) -> None:
    west = pair.network.west
    remove(west, west.outer[6])
    remove(west, west.outer[4])
    wait_until(lambda: "waiting" in pair.west.log, 5.0, "the daemon knows that it has no address")
    add(west, address=west.outer[4])
    expectations.expect_traffic(pair)
    assert pair.agrees()
