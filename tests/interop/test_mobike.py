"""MOBIKE with strongSwan in both roles: either end's address changes under pings (RFC 4555)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import expectations
from tests.lab.namespaces import direct
from tests.lab.pair import BOTH_ROLES, SIDES, Pair
from tests.lab.peer import established
from tests.lab.roaming import add, remove, roaming
from tests.lab.traffic import Pings
from tests.lab.tunnels import CONNECTION

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("pair", BOTH_ROLES, ids=" to ".join, indirect=True),
]


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with direct() as network, roaming(network, request.param) as made:
        made.up()
        yield made


@pytest.mark.parametrize("side", SIDES)
def test_a_tunnel_survives_the_move_of_an_end(pair: Pair, side: str) -> None:
    gateway, spis = pair.side(side).gateway, _spis(pair)
    add(gateway)
    with Pings.start(pair.network.west, pair.network.east, count=400) as pings:
        remove(gateway, gateway.outer[4])
        assert pings.received() > 200
    expectations.expect_traffic(pair)
    assert pair.agrees()
    assert _spis(pair) == spis
    expectations.expect_child_rekey(pair, side, inner=4)
    expectations.expect_ike_rekey(pair, side)


def test_a_tunnel_moves_from_ipv4_to_ipv6(pair: Pair) -> None:
    west, spis = pair.network.west, _spis(pair)
    with Pings.start(west, pair.network.east, count=400) as pings:
        remove(west, west.outer[4])
        assert pings.received() > 200
    expectations.expect_traffic(pair)
    assert pair.agrees()
    assert _spis(pair) == spis


def _spis(pair: Pair) -> tuple[str, str]:
    """What tells that it is the same IKE SA."""
    sa = established(pair.west, CONNECTION)
    assert sa is not None
    return sa.spi_i, sa.spi_r
