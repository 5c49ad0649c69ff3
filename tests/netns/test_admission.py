"""Initiators that are asked to prove where they are, or to work for it, over real sockets."""

from __future__ import annotations

import pytest

from tests.crowd import leave_half_open
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    ("option", "word"),
    [("cookie_threshold", "N(COOKIE)"), ("puzzle_threshold", "N(PUZZLE)")],
)
def test_an_initiator_in_a_crowd_does_what_it_is_asked(
    network: Network, option: str, word: str
) -> None:
    """(RFC 7296 section 2.6) (RFC 8019 section 7.1)"""
    theirs, ours = connection(network, network.east), connection(network, network.west)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES, options={option: 2}) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        leave_half_open(network, 2)
        wait_until(lambda: east.log.count("--> HDR, SAr1") == 2, 5.0, "they are answered")
        west.up(CONNECTION, CHILD[4])
        assert ping(network.west, network.east) == 3
        sent = [line for line in west.log.splitlines() if "message-sent" in line]
        assert word in west.log
        assert any("N(COOKIE)" in line for line in sent), sent
