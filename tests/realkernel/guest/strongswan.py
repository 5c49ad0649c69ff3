"""ikeactors and strongSwan, both with the kernel's ESP, each initiating once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.lab import expectations
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.pair import BOTH_ROLES, SETTLED_SECONDS, SIDES, Pair
from tests.lab.strongswan import IN_KERNEL, StrongswanPeer
from tests.lab.tunnels import AH, CBC, CONNECTION, GCM, IDENTITIES, Suite, connection
from tests.realkernel.guest.reporting import attempt, tell

# An installed policy of an SA, and not the exemption that a daemon's own sockets have.
_POLICY = re.compile(r"^\s*dir (?:in|out|fwd) ", re.MULTILINE)
# What an SA has carried: a limit that is not set is shown as (INF).
_PACKETS = re.compile(r"(\d+)\(packets\)")
# A child for each inner family, and an SA for each direction.
_SAS = 4


@dataclass(frozen=True, slots=True)
class Course:
    """Who initiates, with which suite, whether ESP is in UDP, and what is looked at."""

    kinds: tuple[str, str]
    suite: Suite
    encap: bool
    checks: tuple[str, ...]

    @property
    def name(self) -> str:
        over = "in UDP" if self.encap else "over IP"
        return f"{' to '.join(self.kinds)}, {self.suite} {over}"


def traffic(pair: Pair) -> None:
    """Pings of both families pass, and the kernels count them."""
    expectations.expect_counted_traffic(pair)
    for gateway in (pair.network.west, pair.network.east):
        counts = [int(count) for count in _PACKETS.findall(_states(gateway))]
        assert len(counts) == _SAS, counts
        assert all(counts), counts


def child_rekeys(pair: Pair) -> None:
    """Each side rekeys a child under traffic, of which nothing is lost."""
    for side in SIDES:
        expectations.expect_child_rekey(pair, side, inner=4)


def ike_rekeys(pair: Pair) -> None:
    """Each side rekeys the IKE SA, whose children go on."""
    for side in SIDES:
        expectations.expect_ike_rekey(pair, side)


def goes_without_remains(pair: Pair) -> None:
    """After `down` the kernel has nothing of either daemon."""
    pair.up()
    gateways = (pair.network.west, pair.network.east)
    assert all(map(_remains, gateways))
    pair.west.down(CONNECTION)
    wait_until(lambda: not any(map(_remains, gateways)), SETTLED_SECONDS, "nothing is left")


CHECKS: Mapping[str, Callable[[Pair], None]] = {
    "traffic": traffic,
    "child rekeys": child_rekeys,
    "IKE rekeys": ike_rekeys,
    "nothing is left": goes_without_remains,
}
# Rekeying is the same with every suite, and slow under emulation.
BRIEFLY = ("traffic", "nothing is left")
WITH_A_REKEY = ("traffic", "child rekeys", "nothing is left")
COURSES = tuple(
    Course(kinds, suite, encap, checks)
    for kinds in BOTH_ROLES
    for suite, encap, checks in (
        (GCM, False, tuple(CHECKS)),
        (CBC, True, BRIEFLY),
        (AH, False, WITH_A_REKEY),
    )
)
NAMES = tuple(f"{course.name}: {check}" for course in COURSES for check in course.checks)


def run() -> None:
    """Every course; where the peers do not start, none of its checks passes."""
    for course in COURSES:
        try:
            _run_course(course)
        except Exception as error:  # noqa: BLE001 - the other courses have their turn
            for check in course.checks:
                tell(f"{course.name}: {check}", "failed", repr(error))


def _run_course(course: Course) -> None:
    with direct() as network, ExitStack() as stack:
        east = _peer(course, network, network.east)
        stack.callback(east.stop)
        west = _peer(course, network, network.west)
        stack.callback(west.stop)
        pair = Pair(network, west, east)
        for name in course.checks:
            attempt(f"{course.name}: {name}", partial(CHECKS[name], pair))


def _peer(course: Course, network: Network, gateway: Gateway) -> IkeactorsPeer | StrongswanPeer:
    options = {"encap": course.encap}
    settings = connection(network, gateway, course.suite, options=options)
    kind = course.kinds[0 if gateway is network.west else 1]
    if kind == "strongswan":
        return StrongswanPeer(gateway, settings, IDENTITIES, carrier=IN_KERNEL)
    return IkeactorsPeer(gateway, settings, IDENTITIES, options={"kernel": "xfrm"})


def _states(gateway: Gateway) -> str:
    return gateway.run("ip", "-s", "xfrm", "state")


def _remains(gateway: Gateway) -> str:
    policies = gateway.run("ip", "xfrm", "policy")
    routes = gateway.run("ip", "route", "show", "table", "220", check=False)
    return "".join((_states(gateway), *_POLICY.findall(policies), routes))
