"""A daemon that dies and comes back without a memory: its peer notices at the first answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.peer import Section, established, only_child
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

QUICK: Section = {"quick_crash_detection": True, "dpd_delay": "2s"}


def test_a_daemon_that_lost_its_state_is_noticed_at_once(network: Network, tmp_path: Path) -> None:
    """(RFC 6290 section 3)"""
    restarted: Section = {"dpd_action": "restart"}
    ours = connection(network, network.west, child=restarted, options=QUICK)
    theirs = connection(network, network.east, options=QUICK)
    state: Section = {"state_directory": str(tmp_path)}
    with IkeactorsPeer(network.east, theirs, IDENTITIES, options=state) as east:
        west = IkeactorsPeer(network.west, ours, IDENTITIES)
        with west:
            west.up(CONNECTION, CHILD[4])
            first = wait_until(lambda: established(west, CONNECTION), 10.0, "the tunnel is up")
            east.kill()
            with IkeactorsPeer(network.east, theirs, IDENTITIES, options=state):

                def is_back() -> bool:
                    now = established(west, CONNECTION)
                    return now is not None and now.spi_i != first.spi_i

                wait_until(is_back, 30.0, "the tunnel is back")
                wait_until(lambda: only_child(west, CONNECTION, CHILD[4]), 5.0, "its child is up")
                west.expect_logged("has lost the IKE SA and proves it by its token")
                assert ping(network.west, network.east) == 3
