"""Somebody else's hand in the kernel's IPsec: what is removed heals, what is foreign stays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from ikeactors.iana import ProtocolId
from ikeactors.kernel.marks import Marks
from ikeactors.kernel.requests import SaId
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section
from tests.lab.traffic import Pings, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection
from tests.realkernel.guest.reporting import attempt

# Periodic looks are for what nobody is told of, as what has been added.
_OPTIONS: Section = {"kernel": "xfrm", "reconcile_interval": "5s"}
# Negotiations under emulation.
_PATIENCE = 30.0
# Above what an orphan policy is left in force for.
_STRAY_PATIENCE = 120.0

_ORPHAN, _FOREIGN = 0xC0FFEE01, 0xC0FFEE02
_KEY = "0x" + "11" * 20
_NOBODY = "192.0.2.99"


def what_is_flushed_is_back(network: Network) -> None:
    """States, policies, and both: pings are answered again, though nobody restarts anything."""
    with _daemon(network, "east"), _daemon(network, "west") as west:
        _bring_up(west)
        for words in (("state",), ("policy",), ("state", "policy")):
            for word in words:
                network.west.run("ip", "xfrm", word, "flush")
            for version in CHILD:
                wait_until(partial(_answers, network, version), _PATIENCE, f"{words}, {version}")
        assert west.json("statistics")["reconciler"]["missing_sas"] >= 4, west.log[-4000:]
        assert "kernel-drift" in west.log
        wait_until(partial(_agree, west), _PATIENCE, "nothing differs")


def a_removed_sa_costs_no_other_tunnel_a_packet(network: Network) -> None:
    """One child's outbound SA goes; the other child does not notice."""
    with _daemon(network, "east"), _daemon(network, "west") as west:
        _bring_up(west)
        (lost,) = [one for one in _children(west) if one["name"] == CHILD[4]]
        with Pings.start(network.west, network.east, 6, 400) as pings:
            network.west.run(
                *("ip", "xfrm", "state", "delete", "src", network.west.outer[4]),
                *("dst", network.east.outer[4], "proto", "esp", "spi", f"0x{lost['spi_out']}"),
            )
            wait_until(partial(_answers, network, 4), _PATIENCE, "it is negotiated anew")
            assert pings.lost() == 0, west.log[-4000:]


def orphans_go_and_foreign_entries_stay(network: Network) -> None:
    """What has our mark and nobody asks for is removed; what has not is nobody's business."""
    with _daemon(network, "east"), _daemon(network, "west") as west:
        _bring_up(west)
        marks = Marks.of_daemon(str(west.socket))
        here = network.west.outer[4]
        name = SaId(_ORPHAN, ProtocolId.ESP, ip_address(_NOBODY), ip_address(here))
        # What ip says of it goes to the kernel in the network's order.
        mark = int.from_bytes(marks.of_sa(name).to_bytes(4, "big"), sys.byteorder)
        _add_sa(network, _ORPHAN, "seq", hex(mark))
        _add_sa(network, _FOREIGN)
        _add_policy(network, "10.98.0.0/24", "limit", "packet-soft", str(marks.policy))
        _add_policy(network, "10.99.0.0/24")
        shown = partial(network.west.run, "ip", "xfrm")
        wait_until(lambda: f"{_ORPHAN:x}" not in shown("state"), _PATIENCE, "the orphan is gone")
        wait_until(lambda: "10.98" not in shown("policy"), _STRAY_PATIENCE, "so is the policy")
        assert f"{_FOREIGN:x}" in shown("state")
        assert "10.99.0.0/24" in shown("policy")
        facts = west.json("kernel")
        assert (facts["sas"]["foreign"], facts["policies"]["foreign"]) == (1, 1), facts
        assert not facts["differences"]
        assert all(ping(network.west, network.east, version) == 3 for version in CHILD)


def _daemon(network: Network, label: str) -> IkeactorsPeer:
    gateway = network.west if label == "west" else network.east
    return IkeactorsPeer(gateway, connection(network, gateway), IDENTITIES, options=_OPTIONS)


def _bring_up(west: IkeactorsPeer) -> None:
    for child in CHILD.values():
        west.up(CONNECTION, child)


def _answers(network: Network, version: int) -> bool:
    return ping(network.west, network.east, version, count=1) == 1


def _agree(west: IkeactorsPeer) -> bool:
    facts = west.json("kernel")
    return not facts["differences"] and facts["sas"]["wanted"] == 2 * len(CHILD)


def _children(west: IkeactorsPeer) -> list[dict[str, str]]:
    return [child for sa in west.json("list", "sas")["sas"] for child in sa["children"]]


def _add_sa(network: Network, spi: int, *more: str) -> None:
    network.west.run(
        *("ip", "xfrm", "state", "add", "src", _NOBODY, "dst", network.west.outer[4]),
        *("proto", "esp", "spi", hex(spi), *more, "reqid", "77", "mode", "tunnel"),
        *("aead", "rfc4106(gcm(aes))", _KEY, "128"),
    )


def _add_policy(network: Network, destination: str, *more: str) -> None:
    network.west.run(
        *("ip", "xfrm", "policy", "add", "src", "10.97.0.0/24", "dst", destination, "dir", "out"),
        *("priority", "77", *more),
    )


CHECKS: dict[str, Callable[[Network], None]] = {
    "what is flushed by hand is back within seconds": what_is_flushed_is_back,
    "an SA removed by hand costs no other tunnel": a_removed_sa_costs_no_other_tunnel_a_packet,
    "orphans are removed and foreign entries stay": orphans_go_and_foreign_entries_stay,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """Each on a network of its own."""
    for name, check in CHECKS.items():
        with direct() as network:
            attempt(name, partial(check, network))
