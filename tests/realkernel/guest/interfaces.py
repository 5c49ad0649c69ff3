"""An XFRM interface that the daemon makes with its SAs: what goes through it, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.lab import expectations
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.pair import SETTLED_SECONDS, Pair
from tests.lab.tunnels import CONNECTION, IDENTITIES, connection
from tests.realkernel.guest.reporting import attempt

_DEVICE, _NUMBER = "ipsec7", 7
# Of 1500: IPv4 20, ESP 8, IV 8, ICV 16, trailer 2 and what pads that to 4.
_MTU = 1446


def comes_and_goes(pair: Pair) -> None:
    """Made with the SAs, with its MTU, addresses and routes; gone with them."""
    west = pair.network.west
    assert _link(west) is None
    pair.up()
    link = _link(west)
    assert link is not None
    assert link["mtu"] == _MTU, link
    assert link["linkinfo"]["info_kind"] == "xfrm", link
    assert "10.9.0.1/30" in west.run("ip", "addr", "show", "dev", _DEVICE)
    for family, network in (("-4", "10.2.0.0/24"), ("-6", "fd02::/64")):
        shown = west.run("ip", family, "route", "show", "table", "220")
        assert f"{network} dev {_DEVICE}" in shown, shown
    pair.west.down(CONNECTION)
    wait_until(lambda: _link(west) is None, SETTLED_SECONDS, "the interface is gone")
    assert _DEVICE not in west.run("ip", "route", "show", "table", "all")


def carries(pair: Pair) -> None:
    """Pings pass by it, also large ones, and it counts them."""
    pair.up()
    before = _carried(pair.network.west)
    expectations.expect_traffic(pair)
    expectations.expect_traffic(pair, expectations.LARGE_OCTETS)
    assert all(now > then for now, then in zip(_carried(pair.network.west), before, strict=True))


def stays(pair: Pair) -> None:
    """A rekeying loses no packet and leaves it where it is."""
    pair.up()
    before = _link(pair.network.west)
    assert before is not None
    expectations.expect_child_rekey(pair, "initiator", inner=4)
    after = _link(pair.network.west)
    assert after is not None
    assert after["ifindex"] == before["ifindex"]


CHECKS: dict[str, Callable[[Pair], None]] = {
    "an XFRM interface comes and goes with its SAs": comes_and_goes,
    "an XFRM interface carries packets of any size": carries,
    "an XFRM interface stays while a child is rekeyed": stays,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """West has the interface, east policies alone."""
    with (
        direct() as network,
        _peer(network, network.east, {}) as east,
        _peer(network, network.west, {"if_id_in": _NUMBER, "if_id_out": _NUMBER}) as west,
    ):
        for name, check in CHECKS.items():
            attempt(name, partial(check, Pair(network, west, east)))


def _peer(network: Network, gateway: Gateway, options: dict[str, int]) -> IkeactorsPeer:
    configuration = dict(connection(network, gateway, options=options))
    if options:
        described = {"if_id": _NUMBER, "addresses": ["10.9.0.1/30"]}
        configuration["interfaces"] = {_DEVICE: described}
    return IkeactorsPeer(gateway, configuration, IDENTITIES, options={"kernel": "xfrm"})


def _link(gateway: Gateway) -> dict[str, Any] | None:
    words = ("ip", "-j", "-d", "-s", "link", "show", "dev", _DEVICE)
    shown = gateway.run(*words, check=False)
    return json.loads(shown)[0] if shown.strip().startswith("[{") else None


def _carried(gateway: Gateway) -> tuple[int, int]:
    link = _link(gateway)
    assert link is not None
    counts = link["stats64"]
    return counts["rx"]["packets"], counts["tx"]["packets"]
