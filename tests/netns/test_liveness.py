"""A peer is asked whether it lives only when neither its IKE messages nor its ESP come in."""

from __future__ import annotations

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.traffic import Pings
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

_REQUEST = "--> HDR, SK {} exchange=INFORMATIONAL"


def test_liveness_checks_stop_under_traffic_and_come_back(network: Network) -> None:
    """(RFC 7296 section 2.4)"""
    ours = connection(network, network.west, options={"dpd_delay": "1s"})
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])
        with Pings.start(network.west, network.east, count=250) as pings:
            pings.expect_no_loss()
        # Begun behind the first packet, each second of these five saw traffic.
        under_traffic = west.log.count(_REQUEST)

        def are_back() -> bool:
            return west.log.count(_REQUEST) >= under_traffic + 2

        wait_until(are_back, 10.0, "a silent peer is asked")
        assert under_traffic == 0
