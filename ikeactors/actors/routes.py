"""Routes to the peers' networks: a routing table of our own and the rule that leads to it.

Where a route leads is the data plane's affair (`Way`). The rule spares packets that carry our mark,
so that the datagrams of IKE and ESP never take the routes of what they carry. pyroute2 blocks, and
its async core does not run under Trio: all of it is done in a thread, by one caller at a time.
"""

from __future__ import annotations

import enum
import errno
import functools
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

import trio
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ikeactors.actors.left_routes import ROUTE_PROTOCOL, left_routes
from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import Address, KernelRefusal, PolicyRequest
from ikeactors.wire.selectors import TrafficSelector

Network = IPv4Network | IPv6Network
P = ParamSpec("P")
T = TypeVar("T")

# Ours: the table's and the rule's number, where strongSwan's users look for them; the mark of our
# own packets.
ROUTING_TABLE = 220
RULE_PRIORITY = 220
PACKET_MARK = 0x1CE

# Ours: a network that is kept out of a tunnel gives way to a tunnel to exactly that network.
KEPT_OUT_METRIC = 1 << 31
# Ours: what is blocked gives way to everything; it stays when the daemon stops.
BLOCKED_METRIC = KEPT_OUT_METRIC + 1

_FIB_RULE_INVERT = 2
_RTNH_F_ONLINK = 4


class Kind(enum.Enum):
    """What a route does with packets, in pyroute2's words. What is thrown goes to the next rule."""

    UNICAST = "unicast"
    THROW = "throw"
    BLACKHOLE = "blackhole"


class Hop(NamedTuple):
    """Where packets leave: a device, and the router behind it where there is one."""

    device: int
    gateway: Address | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A network and what happens to packets to it."""

    network: Network
    kind: Kind = Kind.UNICAST
    hop: Hop | None = None
    source: Address | None = None
    metric: int = 0

    def as_arguments(self, table: int) -> dict[str, object]:
        """What pyroute2 wants to hear."""
        arguments: dict[str, object] = {
            "dst": str(self.network),
            "family": family_of(self.network),
            "table": table,
            "proto": ROUTE_PROTOCOL,
            "type": self.kind.value,
        }
        if self.metric:
            arguments["priority"] = self.metric
        if self.hop is not None:
            arguments["oif"] = self.hop.device
            if self.hop.gateway is not None:
                arguments |= {"gateway": str(self.hop.gateway), "flags": _RTNH_F_ONLINK}
        if self.source is not None:
            arguments["prefsrc"] = str(self.source)
        return arguments


class Way(Protocol):
    """How a data plane's packets get to it."""

    def open(self, ip: IPRoute) -> None:
        """Make ready what the routes lead to."""

    def routes_of(self, ip: IPRoute, policy: PolicyRequest) -> list[Route]:
        """The routes that a policy needs."""


@dataclass(frozen=True, slots=True)
class Routing:
    """How packets find their way into the tunnel; without `install` somebody else sees to it.

    What `stays` is left to the next daemon when this one stops.
    """

    install: bool = True
    table: int = ROUTING_TABLE
    priority: int = RULE_PRIORITY
    mark: int = PACKET_MARK
    stays: bool = False


class Routes:
    """The routes of the policies, each there as long as a policy needs it."""

    def __init__(self, way: Way, routing: Routing) -> None:
        self._way = way
        self._routing = routing
        self._rule = {
            "table": routing.table,
            "priority": routing.priority,
            "fwmark": routing.mark,
            "flags": _FIB_RULE_INVERT,
        }
        self._of_policy: dict[PolicyKey, list[Route]] = {}
        # For one network several policies may want different routes.
        self._wanted: dict[tuple[Network, int], dict[PolicyKey, Route]] = {}
        # One thread at a time: what is in the table and what is noted here change together.
        self._limiter = trio.CapacityLimiter(1)

    async def open(self) -> None:
        """Make the way ready and the rules; a predecessor's routes go on leading there."""
        await self._in_thread(self._open)

    async def sweep(self) -> None:
        """Take away what a predecessor has left in the table and no policy needs any more."""
        if self._routing.install:
            await self._in_thread(self._sweep)

    async def add(self, policies: Sequence[PolicyRequest]) -> None:
        """Make the routes that these policies need; all or none."""
        if not self._routing.install or not policies:
            return
        try:
            await self._in_thread(self._add, policies)
        except KernelRefusal:
            await self._in_thread(self._remove, policies)
            raise

    async def remove(self, policies: Sequence[PolicyRequest]) -> None:
        """Take away the routes that only these policies need."""
        if self._routing.install and policies:
            await self._in_thread(self._remove, policies)

    async def aclose(self) -> None:
        """Take away all routes and the rules, unless they stay."""
        if not self._routing.install or self._routing.stays:
            return
        with trio.CancelScope(shield=True):
            await self._in_thread(self._close)

    async def _in_thread(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = functools.partial(job, *args, **kwargs)
        return await trio.to_thread.run_sync(call, limiter=self._limiter)

    def _open(self) -> None:
        with IPRoute() as ip:
            self._way.open(ip)
            if not self._routing.install:
                return
            try:
                self._make_rules(ip)
            except KernelRefusal as refusal:
                self._remove_rules(ip)
                text = f"daemon.routing_table = {self._routing.table}: {refusal}"
                raise KernelRefusal(refusal.errno, text) from None

    def _make_rules(self, ip: IPRoute) -> None:
        for family in _FAMILIES.values():
            _ignoring(ip.rule, "add", family=family, **self._rule)

    def _remove_rules(self, ip: IPRoute) -> None:
        for family in _FAMILIES.values():
            with suppress(KernelRefusal):
                _ignoring(ip.rule, "del", family=family, **self._rule)

    def _sweep(self) -> None:
        with IPRoute() as ip:
            for found in tuple(left_routes(ip, self._routing.table, _FAMILIES.values())):
                if found.place not in self._wanted:
                    _ignoring(ip.route, "del", **found.arguments)

    def _add(self, policies: Sequence[PolicyRequest]) -> None:
        with IPRoute() as ip:
            for policy in policies:
                key, routes = key_of(policy), self._way.routes_of(ip, policy)
                before = self._of_policy.get(key, [])
                # Noted first, so that a refusal halfway is undone by removing the policy.
                self._of_policy[key] = [*before, *routes]
                for route in routes:
                    self._want(ip, key, route)
                places = {_place(route) for route in routes}
                gone = [route for route in before if _place(route) not in places]
                self._forsake(ip, key, gone)
                self._of_policy[key] = routes

    def _want(self, ip: IPRoute, key: PolicyKey, route: Route) -> None:
        wanted = self._wanted.setdefault(_place(route), {})
        before = _in_force(wanted)
        wanted.pop(key, None)
        wanted[key] = route
        self._settle(ip, before, _in_force(wanted))

    def _remove(self, policies: Sequence[PolicyRequest]) -> None:
        with IPRoute() as ip:
            for policy in policies:
                key = key_of(policy)
                self._forsake(ip, key, self._of_policy.pop(key, []))

    def _forsake(self, ip: IPRoute, key: PolicyKey, routes: Sequence[Route]) -> None:
        for place in {_place(route) for route in routes}:
            wanted = self._wanted[place]
            before = _in_force(wanted)
            wanted.pop(key, None)
            after = _in_force(wanted)
            if after is None:
                del self._wanted[place]
            self._settle(ip, before, after)

    def _settle(self, ip: IPRoute, before: Route | None, after: Route | None) -> None:
        """Make the table what is wanted of one place."""
        if after is None:
            if before is not None:
                _ignoring(ip.route, "del", **before.as_arguments(self._routing.table))
        elif after != before:
            try:
                ip.route("replace", **after.as_arguments(self._routing.table))
            except NetlinkError as error:
                text = f"the route to {after.network} was refused: {error}"
                raise KernelRefusal(error.code, text) from None

    def _close(self) -> None:
        with IPRoute() as ip:
            blocks = False
            for (_, metric), wanted in self._wanted.items():
                if metric == BLOCKED_METRIC:
                    blocks = True
                else:
                    self._settle(ip, _in_force(wanted), None)
            self._wanted.clear()
            self._of_policy.clear()
            if not blocks:
                self._remove_rules(ip)


class HostAddress(NamedTuple):
    """An address of this host and the network it reaches without a router."""

    address: Address
    connected: Network


def host_addresses(ip: IPRoute, version: int) -> list[HostAddress]:
    """The addresses of this host that other hosts know."""
    found = []
    for message in ip.get_addr(family=_FAMILIES[version]):
        attributes = dict(message["attrs"])
        # Where both are told, the link is from one address to another, and this is the other.
        far = attributes.get("IFA_ADDRESS")
        own = attributes.get("IFA_LOCAL") or far
        if own is None or ip_address(own).is_loopback:
            continue
        connected = ip_network((far or own, message["prefixlen"]), strict=False)
        found.append(HostAddress(ip_address(own), connected))
    return found


def source_within(addresses: Sequence[HostAddress], selector: TrafficSelector) -> Address | None:
    """An address that the selector takes: what the host's own packets leave with."""
    for address, _ in addresses:
        is_inside = int(selector.start) <= int(address) <= int(selector.end)
        if is_inside and not address.is_link_local:
            return address
    return None


def kept_out(network: Network, addresses: Sequence[HostAddress], outer: Address) -> list[Route]:
    """What of a remote network is not behind the tunnel, by its being more specific.

    These are the networks that this host reaches without a router, and the tunnel's own far end:
    its packets must come by the interface that they leave by, or a strict rp_filter drops them.
    """
    networks = {ip_network(outer)} | {connected for address, connected in addresses
                                      if connected != ip_network(address)}  # fmt: skip
    return [
        Route(one, Kind.THROW, metric=KEPT_OUT_METRIC)
        for one in sorted(networks, key=str)
        if one.version == network.version and one != network and one.subnet_of(network)  # type: ignore[arg-type]
    ]


def family_of(network: Network | Address) -> int:
    """The address family's number."""
    return _FAMILIES[network.version]


def _place(route: Route) -> tuple[Network, int]:
    """What the kernel tells routes of one table apart by."""
    return route.network, route.metric


def _in_force(wanted: dict[PolicyKey, Route]) -> Route | None:
    """Of the routes that policies want for one place, the one there is: at best with a source."""
    latest_first = reversed(wanted.values())
    return max(latest_first, key=_rank, default=None)


def _rank(route: Route) -> tuple[bool, bool]:
    return route.kind is not Kind.UNICAST, route.source is not None


def _ignoring(call: Callable[..., object], *args: object, **kwargs: object) -> None:
    """Do what may be done already, or may not be there."""
    try:
        call(*args, **kwargs)
    except NetlinkError as error:
        if error.code not in _HARMLESS:
            raise KernelRefusal(error.code, f"routing was refused: {error}") from None


_FAMILIES = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}

# There already, gone already, or a host without that family.
_HARMLESS = frozenset(
    {errno.EEXIST, errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EAFNOSUPPORT, errno.EOPNOTSUPP}
)
