"""What is to be protected never leaves in the clear, whatever becomes of tunnel and daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section, established
from tests.lab.traffic import nothing_passes, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

BLOCK: Section = {"policy_on_down": "block"}


@pytest.fixture
def routed() -> Iterator[Network]:
    """A network that carries everything in the clear as well."""
    with direct() as network:
        ways = ((network.west, network.east), (network.east, network.west))
        for here, there in ways:
            here.run("ip", "route", "add", there.subnet[4], "via", there.outer[4])
        assert ping(network.west, network.east) == 3
        yield network


@pytest.mark.parametrize("stop_action", ["keep", "delete"])
def test_nothing_leaves_while_there_is_no_tunnel(routed: Network, stop_action: str) -> None:
    ours = connection(routed, routed.west, child=BLOCK)
    stays: Section = {"stop_action": stop_action}
    with IkeactorsPeer(routed.east, connection(routed, routed.east), IDENTITIES):
        west = IkeactorsPeer(routed.west, ours, IDENTITIES, options=stays)
        try:
            wait_until(lambda: nothing_passes(routed.west, routed.east), 20.0, "it blocks")
            west.up(CONNECTION, CHILD[4])
            assert ping(routed.west, routed.east) == 3
            west.down(CONNECTION)
            wait_until(lambda: established(west, CONNECTION) is None, 20.0, "the tunnel is down")
            assert nothing_passes(routed.west, routed.east)
            west.up(CONNECTION, CHILD[4])
            west.kill()
            assert nothing_passes(routed.west, routed.east)
            west.start_again()
            wait_until(lambda: ping(routed.west, routed.east) == 3, 30.0, "pings pass again")
            west.end()
            assert nothing_passes(routed.west, routed.east)
            west.start_again()
            west.command("stop", "--flush")
            wait_until(lambda: ping(routed.west, routed.east) == 3, 30.0, "it is open again")
        finally:
            west.stop()
