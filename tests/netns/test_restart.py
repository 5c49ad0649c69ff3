"""A daemon that is killed and started again goes on with its IKE SA: its peer notices nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.peer import Section, established
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

# The user-space data plane dies with its process, so Child SAs are made anew on the old IKE SA.
WITHIN = 10.0


def started(network: Network, side: str, folder: Path, **options: str) -> IkeactorsPeer:
    gateway = network.west if side == "west" else network.east
    state: Section = {"runtime_dir": str(folder / side), "store": "sqlite", **options}
    return IkeactorsPeer(gateway, connection(network, gateway), IDENTITIES, options=state)


def spis(peer: IkeactorsPeer) -> tuple[str, str]:
    """Of the IKE SA."""
    sa = wait_until(lambda: established(peer, CONNECTION), WITHIN, "there is an IKE SA")
    return sa.spi_i, sa.spi_r


@pytest.mark.parametrize("victim", ["west", "east"])
def test_a_killed_daemon_goes_on_with_its_ike_sa(
    network: Network, tmp_path: Path, victim: str
) -> None:
    peers = {side: started(network, side, tmp_path) for side in ("west", "east")}
    try:
        peers["west"].up(CONNECTION, CHILD[4])
        before = spis(peers["west"])
        assert ping(network.west, network.east) == 3
        for _ in range(2):
            peers[victim].kill()
            peers[victim] = started(network, victim, tmp_path)
            assert spis(peers[victim]) == before
            wait_until(lambda: ping(network.west, network.east) == 3, WITHIN, "pings pass again")
            peers[victim].expect_logged("ike-sa-restored")
        assert spis(peers["west"]) == spis(peers["east"]) == before
        other = "east" if victim == "west" else "west"
        assert "ike-sa-lost" not in peers[other].log
        peers["west"].rekey_ike(CONNECTION)
        assert spis(peers["west"]) != before
        assert ping(network.west, network.east) == 3
    finally:
        for peer in peers.values():
            peer.stop()


def test_a_daemon_that_is_stopped_leaves_its_ike_sa_where_it_is_told_to(
    network: Network, tmp_path: Path
) -> None:
    with started(network, "east", tmp_path) as east:
        west = started(network, "west", tmp_path, stop_action="keep")
        west.up(CONNECTION, CHILD[4])
        before = spis(west)
        west.stop()
        assert spis(east) == before
        with started(network, "west", tmp_path) as again:
            assert spis(again) == before
            wait_until(lambda: ping(network.west, network.east) == 3, WITHIN, "pings pass again")
        # This one deletes what it has.
        wait_until(lambda: established(east, CONNECTION) is None, WITHIN, "it is deleted")


def test_a_daemon_that_is_told_to_flush_takes_its_ike_sa_down(
    network: Network, tmp_path: Path
) -> None:
    with started(network, "east", tmp_path) as east:
        west = started(network, "west", tmp_path, stop_action="keep")
        west.up(CONNECTION, CHILD[4])
        spis(east)
        west.command("stop", "--flush")
        wait_until(lambda: established(east, CONNECTION) is None, WITHIN, "it is deleted")
        west.stop()
