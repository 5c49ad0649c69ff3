"""A daemon that is killed and started again, with the kernel's ESP: no packet is lost meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.lab.commands import pause, wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section, established
from tests.lab.strongswan import IN_KERNEL, StrongswanPeer
from tests.lab.traffic import Pings, nothing_passes, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection
from tests.realkernel.guest.reporting import attempt

# Longer than the kills: under emulation a daemon takes some seconds to start.
_PINGS = 700
_INTERVAL = 0.1
_SECONDS = 40.0
_BETWEEN_KILLS = 3.0
_WITHIN = 30.0
# Child SAs: one that is rekeyed, and its successor.
_AT_A_TIME = 2

_OFTEN: Section = {"rekey_time": "1s", "rand_time": "0s", "life_time": "1h"}
_NOW_AND_THEN: Section = {"rekey_time": "7s", "rand_time": "0s", "over_time": "1h"}
_NEVER: Section = {"rekey_time": 0}
_BLOCK: Section = {"policy_on_down": "block"}
_KEPT: Section = {"kernel": "xfrm", "store": "sqlite", "stop_action": "keep"}

AGAINST_OURSELVES = "killed again and again while it rekeys, against ikeactors: no ping is lost"
AGAINST_STRONGSWAN = "killed again and again while it rekeys, against strongSwan: no ping is lost"
STOPPED = "stopped and started again: the kernel's part is as it was, and no ping is lost"
BLOCKED = "blocked: nothing leaves in the clear without tunnel or daemon"
NAMES = (AGAINST_OURSELVES, AGAINST_STRONGSWAN, STOPPED, BLOCKED)

MakePeer = Callable[[Network], IkeactorsPeer | StrongswanPeer]


def run() -> None:
    """Everything."""
    attempt(AGAINST_OURSELVES, lambda: _killed_again_and_again(_ikeactors))
    attempt(AGAINST_STRONGSWAN, lambda: _killed_again_and_again(_strongswan))
    attempt(STOPPED, _stopped_and_started)
    attempt(BLOCKED, _nothing_leaves)


def _ikeactors(network: Network) -> IkeactorsPeer:
    settings = connection(network, network.east, child=_NEVER, options=_NEVER)
    return IkeactorsPeer(network.east, settings, IDENTITIES, options=_KEPT)


def _strongswan(network: Network) -> StrongswanPeer:
    settings = connection(network, network.east, child=_NEVER, options=_NEVER)
    return StrongswanPeer(network.east, settings, IDENTITIES, carrier=IN_KERNEL)


@contextmanager
def _west(network: Network, child: Section, options: Section) -> Iterator[IkeactorsPeer]:
    settings = connection(network, network.west, child=child, options=options)
    with IkeactorsPeer(network.west, settings, IDENTITIES, options=_KEPT) as west:
        west.up(CONNECTION, CHILD[4])
        yield west


def _killed_again_and_again(make_east: MakePeer) -> None:
    with ExitStack() as stack:
        network = stack.enter_context(direct())
        east = make_east(network)
        stack.callback(east.stop)
        west = stack.enter_context(_west(network, _OFTEN, _NOW_AND_THEN))
        with Pings.start(network.west, network.east, 4, _PINGS, _INTERVAL) as pings:
            kills, sas = _kill(west, time.monotonic() + _SECONDS)
            lost = pings.lost()
        _note(f"{kills} kills, {sas} Child SAs seen, {lost} pings of {_PINGS} lost")
        assert lost == 0, f"{lost} of {_PINGS} pings lost over {kills} kills"
        assert kills > 0
        assert sas > 1
        _is_gone(west, east)


def _kill(west: IkeactorsPeer, end: float) -> tuple[int, int]:
    """Kill it and start it again until then; how often, and how many Child SAs were seen."""
    kills = 0
    spis: set[str] = set()
    while time.monotonic() < end:
        west.kill()
        kills += 1
        west.start_again()
        wait_until(partial(established, west, CONNECTION), _WITHIN, "it is restored")
        spis.update(child.spi_in for sa in west.sas() for child in sa.children)
        pause(_BETWEEN_KILLS)
        spis.update(child.spi_in for sa in west.sas() for child in sa.children)
    return kills, len(spis)


def _is_gone(west: IkeactorsPeer, east: IkeactorsPeer | StrongswanPeer) -> None:
    """Kills leave none that carry traffic beside those of now; what is taken down leaves none."""
    counts = [sum(len(sa.installed) for sa in peer.sas()) for peer in (west, east)]
    assert max(counts) <= _AT_A_TIME, counts
    west.down(CONNECTION)

    def are_empty() -> bool:
        return not any(peer.gateway.run("ip", "xfrm", "state") for peer in (west, east))

    wait_until(are_empty, _WITHIN, "both kernels have no SA left")


def _stopped_and_started() -> None:
    with direct() as network, _ikeactors(network), _west(network, _NEVER, _NEVER) as west:
        before = _lists(network)
        with Pings.start(network.west, network.east, 4, 100, _INTERVAL) as pings:
            west.end()
            assert _lists(network) == before
            west.start_again()
            wait_until(partial(established, west, CONNECTION), _WITHIN, "it is restored")
            assert _lists(network) == before
            lost = pings.lost()
        assert lost == 0, f"{lost} pings lost"


def _nothing_leaves() -> None:
    with direct() as network:
        for here, there in ((network.west, network.east), (network.east, network.west)):
            here.run("ip", "route", "add", there.subnet[4], "via", there.outer[4])
        assert ping(network.west, network.east) == 3
        settings = connection(network, network.west, child=_BLOCK)
        options = {**_KEPT, "stop_action": "delete"}
        with (
            _ikeactors(network),
            IkeactorsPeer(network.west, settings, IDENTITIES, options=options) as west,
        ):
            # It answers on its admin socket before it has come to that.
            wait_until(lambda: nothing_passes(network.west, network.east), _WITHIN, "it blocks")
            west.up(CONNECTION, CHILD[4])
            assert ping(network.west, network.east) == 3
            west.down(CONNECTION)
            wait_until(lambda: established(west, CONNECTION) is None, _WITHIN, "it is down")
            assert nothing_passes(network.west, network.east)
            west.up(CONNECTION, CHILD[4])
            west.kill()
            network.west.run("ip", "xfrm", "state", "flush")
            assert nothing_passes(network.west, network.east)
            west.start_again()
            west.end()
            assert nothing_passes(network.west, network.east)
            west.start_again()
            west.command("stop", "--flush")
            wait_until(lambda: ping(network.west, network.east) == 3, _WITHIN, "it is open")


def _lists(network: Network) -> str:
    rules = network.west.run("ip", "rule")
    routes = network.west.run("ip", "route", "show", "table", "220")
    states = network.west.run("ip", "xfrm", "state")
    return rules + routes + "".join(line for line in states.splitlines() if "proto esp" in line)


def _note(text: str) -> None:
    sys.stdout.write(f"restart: {text}\n")
