"""Traps in the kernel's IPsec: the first packet is told of and held; the policies come back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section, established
from tests.lab.traffic import Pings
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection
from tests.realkernel.guest.reporting import attempt

_KERNEL: Section = {"kernel": "xfrm"}
# A negotiation under emulation.
_PATIENCE = 20.0
# The reqids of traps begin here; those of Child SAs lie below.
_TRAPS = 1 << 31
_REQID = re.compile(r"reqid (\d+)")
# /proc/sys/net/core/xfrm_acq_expires
_LARVAL_SECONDS = 30.0


def is_lost_by_none(network: Network) -> None:
    """The first ping of each family brings its child up and is answered, again and again."""
    trapping: Section = {"start_action": "trap"}
    ours = connection(network, network.west, child=trapping)
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES, options=_KERNEL) as east,
        IkeactorsPeer(network.west, ours, IDENTITIES, options=_KERNEL) as west,
    ):
        _expect_answers(network, west, east)
        west.down(CONNECTION)
        began = _expect_answers(network, west, east)
        east.down(CONNECTION)
        _expect_answers(network, west, east)
        # Long before what stood for the first SA would have expired.
        assert time.monotonic() - began < _LARVAL_SECONDS


def _expect_answers(network: Network, west: IkeactorsPeer, east: IkeactorsPeer) -> float:
    """Once nothing is left but the traps, each first ping is answered: when that was so."""
    wait_until(lambda: established(west, CONNECTION) is None, _PATIENCE, "it is down")
    wait_until(partial(_are_set, network), _PATIENCE, "the traps are set, and nothing else")
    began = time.monotonic()
    for version in CHILD:
        assert _first_is_answered(network, version), _told(network, west, east)
    return began


def _are_set(network: Network) -> bool:
    """Every policy of the west is a trap's, none of the Child SAs before, and the east has none."""
    shown = network.west.run("ip", "xfrm", "policy")
    reqids = [int(found) for found in _REQID.findall(shown)]
    are_traps = shown.count("dir out") == len(CHILD) and min(reqids) >= _TRAPS
    return are_traps and not _REQID.search(network.east.run("ip", "xfrm", "policy"))


def _told(network: Network, west: IkeactorsPeer, east: IkeactorsPeer) -> str:
    """Both daemons' last words, and what their kernels hold."""
    shown = [
        gateway.run("ip", "-s", "xfrm", kind)
        for gateway in (network.west, network.east)
        for kind in ("state", "policy")
    ]
    return "\n\n".join((west.log[-4000:], east.log[-4000:], *shown))


def _first_is_answered(network: Network, version: int) -> bool:
    first = Pings.start(network.west, network.east, version, count=1, patience=_PATIENCE)
    return first.received() == 1


CHECKS: dict[str, Callable[[Network], None]] = {
    "a trap's first packet is held until there is an SA": is_lost_by_none,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """Each on a network of its own."""
    for name, check in CHECKS.items():
        with direct() as network:
            attempt(name, partial(check, network))
