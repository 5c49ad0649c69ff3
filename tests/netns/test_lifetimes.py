"""Rekeys by what was sent, and to other algorithms than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikeactors.admin.client import Client
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established, only_child
from tests.lab.traffic import Pings, ping
from tests.lab.tunnels import CHILD, CONNECTION, GCM, IDENTITIES, Suite, connection

pytestmark = pytest.mark.netns

OTHER = Suite("aes256-sha512-ecp384", "chacha20poly1305-ecp256")
EITHER = Suite(f"{GCM.ike}, {OTHER.ike}", f"{GCM.esp}, {OTHER.esp}")


@pytest.mark.parametrize(
    "limits",
    [
        {"rekey_packets": 40, "life_packets": 4000, "rand_packets": 0},
        {"rekey_bytes": 4000, "life_bytes": 400000, "rand_bytes": 0},
    ],
    ids=["packets", "bytes"],
)
def test_a_child_sa_is_rekeyed_by_what_it_has_carried(network: Network, limits: Section) -> None:
    ours = connection(network, network.west, child=limits)
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])
        first = only_child(west, CONNECTION, CHILD[4])
        assert first is not None
        with Pings.start(network.west, network.east, count=250) as pings:

            def is_rekeyed() -> bool:
                now = only_child(west, CONNECTION, CHILD[4])
                return now is not None and now.spi_in != first.spi_in

            wait_until(is_rekeyed, 15.0, "it is rekeyed")
            pings.expect_no_loss()


def test_algorithms_change_with_the_next_rekeys(network: Network, tmp_path: Path) -> None:
    """The peer comes back with another configuration and its old state: what is rekeyed is new."""
    ours = connection(network, network.west, EITHER)
    before, after = (connection(network, network.east, suite) for suite in (GCM, OTHER))
    kept: Section = {"runtime_dir": str(tmp_path), "store": "sqlite", "stop_action": "keep"}
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        with IkeactorsPeer(network.east, before, IDENTITIES, options=kept):
            west.up(CONNECTION, CHILD[4])
            sa = established(west, CONNECTION)
        with IkeactorsPeer(network.east, after, IDENTITIES, options=kept) as east:
            wait_until(lambda: ping(*_ends(network)) == 3, SETTLED_SECONDS, "it goes on")
            now = established(east, CONNECTION)
            assert sa is not None
            assert now is not None
            assert now.spi_i == sa.spi_i
            assert _suite(west).startswith("AES_GCM_16_128/PRF_HMAC_SHA2_256")
            with Pings.start(*_ends(network), count=250) as pings:
                west.rekey_child(CONNECTION, CHILD[4])
                east.rekey_ike(CONNECTION)
                wait_until(lambda: "PRF_HMAC_SHA2_512" in _suite(west), SETTLED_SECONDS, "rekeyed")
                assert "ESP:CHACHA20_POLY1305/ECP_256" in west.command("status")
                pings.expect_no_loss()
        assert "no-proposal-chosen" not in west.log


def _ends(network: Network) -> tuple[Gateway, Gateway]:
    return network.west, network.east


def _suite(peer: IkeactorsPeer) -> str:
    """That of the IKE SA which is not being replaced."""
    with Client(peer.socket) as client:
        _, streamed = client.listing("list-sas")
    return next((sa["suite"] for sa in streamed["sas"] if sa["state"] == "ESTABLISHED"), "")
