"""Liveness between ikeactors and strongSwan: each answers, and a dead peer is noticed.

(RFC 7296 section 2.4)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section, established
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import nothing_passes, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.interop

# kernel-libipsec takes ESP in UDP only.
ENCAPSULATED: Section = {"encap": True}
WATCHFUL: Section = {"dpd_delay": "1s"}


@pytest.fixture
def network() -> Iterator[Network]:
    with direct() as made:
        yield made


def test_a_killed_peer_is_noticed_and_its_tunnel_removed(network: Network) -> None:
    ours = connection(
        network,
        network.west,
        options={
            **ENCAPSULATED,
            **WATCHFUL,
            "retransmit_timeout": "300ms",
            "retransmit_base": 1.2,
            "retransmit_tries": 3,
        },
    )
    theirs = connection(network, network.east, options=ENCAPSULATED)
    with (
        StrongswanPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])
        assert ping(network.west, network.east) == 3

        east.kill()

        wait_until(lambda: not west.sas(), 15.0, "the dead peer is noticed")
        assert nothing_passes(network.west, network.east)
        status = west.command("status")
        assert "DOWN" in status
        assert "answer" in status


def test_liveness_requests_of_the_peer_are_answered(network: Network) -> None:
    ours = connection(network, network.west, options=ENCAPSULATED)
    theirs = connection(network, network.east, options={**ENCAPSULATED, **WATCHFUL})
    with (
        StrongswanPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])

        wait_until(lambda: east.log.count("sending DPD request") >= 3, 15.0, "liveness requests")
        assert established(east, CONNECTION)
        assert established(west, CONNECTION)
        assert "retransmit" not in east.log
        assert ping(network.west, network.east) == 3


def test_liveness_requests_are_sent_and_their_answers_taken(network: Network) -> None:
    ours = connection(network, network.west, options={**ENCAPSULATED, **WATCHFUL})
    theirs = connection(network, network.east, options=ENCAPSULATED)
    with (
        StrongswanPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        west.up(CONNECTION, CHILD[4])

        wait_until(
            lambda: east.log.count("parsed INFORMATIONAL request") >= 3, 15.0, "liveness requests"
        )
        assert established(west, CONNECTION)
        assert ping(network.west, network.east) == 3
