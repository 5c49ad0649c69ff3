"""A tunnel to everywhere, under a strict rp_filter: it must not swallow its own packets."""

from __future__ import annotations

from ikeactors.actors.routes import ROUTING_TABLE
from tests.lab import expectations
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.pair import Pair
from tests.lab.peer import Section
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection_settings
from tests.realkernel.guest.reporting import attempt

NAMES = ("a tunnel to everywhere",)
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def run() -> None:
    """With the kernel's data plane."""
    attempt(NAMES[0], lambda: _tunnel("xfrm"))


def _tunnel(kernel: str) -> None:
    with (
        direct() as network,
        _peer(network, network.east, kernel) as east,
        _peer(network, network.west, kernel) as west,
    ):
        for gateway in (network.west, network.east):
            gateway.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
        pair = Pair(network, west, east)
        pair.up()
        expectations.expect_traffic(pair)
        shown = network.west.run("ip", "route", "show", "table", str(ROUTING_TABLE))
        assert "default" in shown, shown
        # The neighbour and the world: one keeps its route, the other is behind the tunnel.
        assert "src 10.77.0.1" in network.west.run("ip", "route", "get", "10.77.0.2")
        assert "src 10.1.0.1" in network.west.run("ip", "route", "get", "192.0.2.1")
        for side in ("initiator", "responder"):
            expectations.expect_ike_rekey(pair, side)


def _peer(network: Network, gateway: Gateway, kernel: str) -> IkeactorsPeer:
    settings = dict(connection_settings(network, gateway))
    # What the other side has behind it is everything, as west sees it.
    wide = "remote_ts" if gateway is network.west else "local_ts"
    children = settings["children"]
    assert isinstance(children, dict)
    settings["children"] = {
        CHILD[version]: {**children[CHILD[version]], wide: _EVERYWHERE[version]}
        for version in CHILD
    }
    configuration: Section = {"connections": {CONNECTION: settings}}
    return IkeactorsPeer(gateway, configuration, IDENTITIES, options={"kernel": kernel})
