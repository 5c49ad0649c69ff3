"""A NAT between ikeactors and strongSwan, either of them behind it (RFC 7296 section 2.23)."""

from __future__ import annotations

import pytest

from tests.lab.commands import wait_until
from tests.lab.pair import BOTH_ROLES, SETTLED_SECONDS, Pair
from tests.lab.peer import established, only_child
from tests.lab.traffic import Pings, ping
from tests.lab.tunnels import CHILD, CONNECTION

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("natted_pair", BOTH_ROLES, indirect=True),
]


def test_a_tunnel_passes_a_nat(natted_pair: Pair) -> None:
    natted_pair.up()

    west, east = natted_pair.network.west, natted_pair.network.east
    assert ping(west, east) == 3
    assert ping(east, west) == 3
    assert ping(west, east, version=6) == 3


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_rekeys_pass_a_nat_from_both_sides(natted_pair: Pair, side: str) -> None:
    natted_pair.up()
    ike_sa = established(natted_pair.west, CONNECTION)
    child = only_child(natted_pair.west, CONNECTION, CHILD[4])
    assert ike_sa is not None
    assert child is not None
    pings = Pings.start(natted_pair.network.east, natted_pair.network.west, count=60)

    natted_pair.side(side).rekey_child(CONNECTION, CHILD[4])

    def child_is_replaced() -> bool:
        now = only_child(natted_pair.west, CONNECTION, CHILD[4])
        return now is not None and now.spi_in != child.spi_in and natted_pair.agrees()

    wait_until(child_is_replaced, SETTLED_SECONDS, "the Child SA is rekeyed")
    assert pings.lost() == 0

    natted_pair.side(side).rekey_ike(CONNECTION)

    def ike_sa_is_replaced() -> bool:
        now = established(natted_pair.west, CONNECTION)
        return now is not None and now.spi_i != ike_sa.spi_i and natted_pair.agrees()

    wait_until(ike_sa_is_replaced, SETTLED_SECONDS, "the IKE SA is rekeyed")
    assert ping(natted_pair.network.east, natted_pair.network.west) == 3
