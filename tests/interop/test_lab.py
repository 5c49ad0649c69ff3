"""The lab itself, with strongSwan at both ends: what fails here is not ikeactors."""

from __future__ import annotations

import pytest

from tests.lab.commands import wait_until
from tests.lab.namespaces import Network, direct, natted
from tests.lab.needs import require
from tests.lab.peer import only_child
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import Pings, nothing_passes
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.interop

NETWORKS = {"direct": (direct, 4), "direct-ipv6": (direct, 6), "natted": (natted, 4)}


@pytest.mark.parametrize("layout", NETWORKS)
def test_strongswan_talks_to_strongswan(layout: str) -> None:
    require("nat")
    make, version = NETWORKS[layout]
    with make() as network:
        check_tunnel(network, version)


def check_tunnel(network: Network, version: int) -> None:
    """A tunnel comes up, is rekeyed without loss and goes away."""
    sides = [
        StrongswanPeer(gateway, connection(network, gateway, version=version), IDENTITIES)
        for gateway in (network.west, network.east)
    ]
    with sides[0] as west, sides[1] as east:
        assert nothing_passes(network.west, network.east)
        west.up(CONNECTION, CHILD[4])
        before = only_child(west, CONNECTION, CHILD[4])
        assert before is not None
        with Pings.start(network.west, network.east, count=60) as pings:
            east.rekey_child(CONNECTION, CHILD[4])

            def is_replaced() -> bool:
                now = only_child(west, CONNECTION, CHILD[4])
                return now is not None and now.spi_in != before.spi_in

            wait_until(is_replaced, 5.0, "the Child SA is rekeyed")
            pings.expect_no_loss()
        west.down(CONNECTION)
        assert nothing_passes(network.west, network.east)
