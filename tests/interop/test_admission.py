"""Cookies between ikeactors and strongSwan, in both roles (RFC 7296 section 2.6)."""

from __future__ import annotations

import pytest

from tests.crowd import leave_half_open
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.interop

ENCAPSULATED: Section = {"encap": True}


def test_ikeactors_returns_the_cookie_of_strongswan() -> None:
    with direct() as network:
        ours, theirs = _configurations(network)
        crowded = "dos_protection = yes\n  cookie_threshold = 1\n  cookie_threshold_ip = 1"
        with (
            StrongswanPeer(network.east, theirs, IDENTITIES, options=crowded) as east,
            IkeactorsPeer(network.west, ours, IDENTITIES) as west,
        ):
            leave_half_open(network, 3)
            wait_until(lambda: "generating IKE_SA_INIT response" in east.log, 5.0, "it has one")
            west.up(CONNECTION, CHILD[4])
            assert ping(network.west, network.east) == 3
            west.expect_logged("<-- HDR, N(COOKIE)", "--> HDR, N(COOKIE)")


def test_strongswan_returns_the_cookie_of_ikeactors() -> None:
    with direct() as network:
        theirs, ours = _configurations(network)
        with (
            IkeactorsPeer(network.east, ours, IDENTITIES, options={"cookie_threshold": 2}) as east,
            StrongswanPeer(network.west, theirs, IDENTITIES) as west,
        ):
            leave_half_open(network, 2)
            wait_until(lambda: east.log.count("--> HDR, SAr1") == 2, 5.0, "they are answered")
            west.up(CONNECTION, CHILD[4])
            assert ping(network.west, network.east) == 3
            assert "N(COOKIE)" in west.log


def _configurations(network: Network) -> tuple[Section, Section]:
    """The west's and the east's."""
    west = connection(network, network.west, options=ENCAPSULATED)
    return west, connection(network, network.east, options=ENCAPSULATED)
