"""IP compression in the kernel's IPsec: what gets smaller by it passes, and what does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from tests.lab import expectations
from tests.lab.commands import wait_until
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.pair import BOTH_ROLES, SETTLED_SECONDS, LabPeer, Pair
from tests.lab.tunnels import CONNECTION, GCM, IDENTITIES, connection
from tests.realkernel.guest.moving import IN_THE_KERNEL, OURS
from tests.realkernel.guest.reporting import attempt

_LONG, _SHORT = 1000, 40
_PINGS = 3
# The packets and octets of each association that compresses.
_CARRIED = r".*?lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)"
# strongSwan has a larval one, without a reqid, of what it has offered in vain: of net6 in IPv4.
_COMPRESSION = re.compile(r"proto comp spi \S+ reqid [1-9]" + _CARRIED, re.DOTALL)
_ESP = re.compile("proto esp " + _CARRIED, re.DOTALL)


def is_compressed(kinds: tuple[str, str], encap: bool) -> None:
    """Long pings are compressed, short ones are not; it comes and goes with the Child SA."""
    with direct() as network, ExitStack() as stack:
        east = _peer(kinds[1], network, network.east, encap)
        stack.callback(east.stop)
        west = _peer(kinds[0], network, network.west, encap)
        stack.callback(west.stop)
        pair = Pair(network, west, east)
        pair.up()
        for gateway in (network.west, network.east):
            assert len(_counts(_COMPRESSION, gateway)) == 2, gateway.run("ip", "xfrm", "state")
        assert _answered(pair, _SHORT) == _PINGS
        before = _octets(_ESP, network.west)
        assert _answered(pair, _LONG) == _PINGS
        assert _octets(_ESP, network.west) - before < _PINGS * _LONG
        assert all(packets for _, packets in _counts(_COMPRESSION, network.west))
        expectations.expect_child_rekey(pair, "initiator", inner=4)
        expectations.expect_child_rekey(pair, "responder", inner=4)
        assert _answered(pair, _LONG) == _PINGS
        pair.west.down(CONNECTION)
        for gateway in (network.west, network.east):
            wait_until(partial(_is_empty, gateway), SETTLED_SECONDS, "nothing is left")


def _peer(kind: str, network: Network, gateway: Gateway, encap: bool) -> LabPeer:
    child, options = {"ipcomp": True}, {"encap": encap}
    settings = connection(network, gateway, GCM, child=child, options=options)
    return IN_THE_KERNEL[kind](gateway, settings, IDENTITIES)


def _answered(pair: Pair, size: int) -> int:
    west, east = pair.network.west, pair.network.east
    words = ("ping", "-n", "-q", "-W", "5", "-c", str(_PINGS), "-i", "0.2", "-s", str(size))
    said = west.run(*words, "-p", "00", "-I", west.inner[4], east.inner[4], check=False)
    found = re.search(r"(\d+) received", said)
    return int(found[1]) if found else 0


def _counts(kind: re.Pattern[str], gateway: Gateway) -> list[tuple[int, int]]:
    states = gateway.run("ip", "-s", "xfrm", "state")
    return [(int(octets), int(packets)) for octets, packets in kind.findall(states)]


def _octets(kind: re.Pattern[str], gateway: Gateway) -> int:
    return sum(octets for octets, _ in _counts(kind, gateway))


def _is_empty(gateway: Gateway) -> bool:
    return not re.search("reqid [1-9]", gateway.run("ip", "xfrm", "state"))


CHECKS: dict[str, Callable[[], None]] = {
    f"{' to '.join(kinds)}: compressed {'in UDP' if encap else 'over IP'}": partial(
        is_compressed, kinds, encap
    )
    for kinds, encap in ((OURS, False), (OURS, True), *((kinds, False) for kinds in BOTH_ROLES))
}
NAMES = tuple(CHECKS)


def run() -> None:
    """Each check with a pair of its own."""
    for name, check in CHECKS.items():
        attempt(name, check)
