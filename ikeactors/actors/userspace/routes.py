"""Routes into the TUN device: a routing table of our own and the rule that leads to it.

pyroute2 blocks, and its async core does not run under Trio: all of it is done in a thread, by one
caller at a time. The rule spares packets that carry our mark, so that the datagrams of IKE and ESP
never enter the tunnel they carry.
"""

from __future__ import annotations

import errno
import functools
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import ParamSpec, TypeVar

import trio
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import Direction, KernelRefusal, PolicyAction, PolicyRequest
from ikeactors.wire.selectors import TrafficSelector

Network = IPv4Network | IPv6Network
P = ParamSpec("P")
T = TypeVar("T")

# Ours: the table's and the rule's number, where strongSwan's users look for them; the mark of our
# own sockets; the number that says which routes are ours (/etc/iproute2/rt_protos leaves it free).
ROUTING_TABLE = 220
RULE_PRIORITY = 220
SOCKET_MARK = 0x1CE
ROUTE_PROTOCOL = 222

# Ours: leaves room for ESP, UDP and an outer IPv6 header in an Ethernet frame.
DEFAULT_MTU = 1400

_FIB_RULE_INVERT = 2
_ADDR_GEN_MODE_NONE = "1"


@dataclass(frozen=True, slots=True)
class Route:
    """A network and what happens to packets to it."""

    network: Network
    action: PolicyAction

    def as_arguments(self, index: int, table: int) -> dict[str, object]:
        """What pyroute2 wants to hear."""
        arguments: dict[str, object] = {
            "dst": str(self.network),
            "family": _FAMILIES[self.network.version],
            "table": table,
            "proto": ROUTE_PROTOCOL,
            "type": _ROUTE_TYPES[self.action],
        }
        if self.action is PolicyAction.PROTECT:
            arguments["oif"] = index
        return arguments


@dataclass(frozen=True, slots=True)
class Routing:
    """How packets find their way into the tunnel; without `install` somebody else sees to it."""

    install: bool = True
    table: int = ROUTING_TABLE
    priority: int = RULE_PRIORITY
    mark: int = SOCKET_MARK


class Routes:
    """The routes of the outbound policies, each there as long as a policy needs it."""

    def __init__(self, device: str, mtu: int, routing: Routing) -> None:
        self._device = device
        self._mtu = mtu
        self._routing = routing
        self._table = routing.table
        self._rule = {
            "table": routing.table,
            "priority": routing.priority,
            "fwmark": routing.mark,
            "flags": _FIB_RULE_INVERT,
        }
        self._index = 0
        self._users: dict[Route, set[PolicyKey]] = {}
        # One thread at a time: what is in the table and what is noted here change together.
        self._limiter = trio.CapacityLimiter(1)

    async def open(self) -> None:
        """Bring the device up, make the rules, clear what a predecessor left in the table."""
        await self._in_thread(self._open)

    async def add(self, policies: Sequence[PolicyRequest]) -> None:
        """Make the routes that these policies need."""
        if self._routing.install and policies:
            await self._in_thread(self._add, policies)

    async def remove(self, policies: Sequence[PolicyRequest]) -> None:
        """Take away the routes that only these policies need."""
        if self._routing.install and policies:
            await self._in_thread(self._remove, policies)

    async def aclose(self) -> None:
        """Take away all routes and the rules."""
        if not self._routing.install:
            return
        with trio.CancelScope(shield=True):
            await self._in_thread(self._close)

    async def _in_thread(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = functools.partial(job, *args, **kwargs)
        return await trio.to_thread.run_sync(call, limiter=self._limiter)

    def _open(self) -> None:
        with IPRoute() as ip:
            self._index = ip.link_lookup(ifname=self._device)[0]
            _without_link_local_address(self._device)
            ip.link("set", index=self._index, mtu=self._mtu, state="up")
            for family in _FAMILIES.values() if self._routing.install else ():
                _ignoring(_flush, ip, self._table, family)
                _ignoring(ip.rule, "add", family=family, **self._rule)

    def _add(self, policies: Sequence[PolicyRequest]) -> None:
        with IPRoute() as ip:
            for policy in policies:
                for route in _routes_of(policy):
                    self._claim(ip, route, policy)

    def _claim(self, ip: IPRoute, route: Route, policy: PolicyRequest) -> None:
        users = self._users.get(route)
        if users is None:
            arguments = route.as_arguments(self._index, self._table)
            source = _address_within(ip, policy.source)
            if source is not None and route.action is PolicyAction.PROTECT:
                arguments["prefsrc"] = source
            try:
                ip.route("replace", **arguments)
            except NetlinkError as error:
                text = f"the route to {route.network} was refused: {error}"
                raise KernelRefusal(error.code, text) from None
            users = self._users[route] = set()
        users.add(key_of(policy))

    def _remove(self, policies: Sequence[PolicyRequest]) -> None:
        with IPRoute() as ip:
            for policy in policies:
                for route in _routes_of(policy):
                    self._release(ip, route, policy)

    def _release(self, ip: IPRoute, route: Route, policy: PolicyRequest) -> None:
        users = self._users.get(route)
        if users is None:
            return
        users.discard(key_of(policy))
        if not users:
            del self._users[route]
            _ignoring(ip.route, "del", **route.as_arguments(self._index, self._table))

    def _close(self) -> None:
        with IPRoute() as ip:
            for route in self._users:
                _ignoring(ip.route, "del", **route.as_arguments(self._index, self._table))
            self._users.clear()
            for family in _FAMILIES.values():
                _ignoring(ip.rule, "del", family=family, **self._rule)


def _routes_of(policy: PolicyRequest) -> list[Route]:
    """The routes an outbound policy needs; selectors' protocols and ports are not routed by."""
    if policy.direction != Direction.OUT:
        return []
    return [Route(network, policy.action) for network in policy.destination.networks()]


def _address_within(ip: IPRoute, selector: TrafficSelector) -> str | None:
    """An address of this host that the selector takes: what the host's own packets leave with."""
    for message in ip.get_addr(family=_FAMILIES[selector.start.version]):
        attributes = dict(message["attrs"])
        text = attributes.get("IFA_LOCAL") or attributes.get("IFA_ADDRESS")
        address = ip_address(text) if text else None
        if address is None or address.is_loopback or address.is_link_local:
            continue
        if int(selector.start) <= int(address) <= int(selector.end):
            return str(address)
    return None


def _flush(ip: IPRoute, table: int, family: int) -> None:
    ip.flush_routes(table=table, family=family, proto=ROUTE_PROTOCOL)


def _without_link_local_address(device: str) -> None:
    """Keep router solicitations out of the tunnel, where the host has IPv6."""
    mode = Path("/proc/sys/net/ipv6/conf") / device / "addr_gen_mode"
    if mode.exists():
        mode.write_text(_ADDR_GEN_MODE_NONE)


def _ignoring(call: Callable[..., object], *args: object, **kwargs: object) -> None:
    """Do what may be done already, or may not be there."""
    try:
        call(*args, **kwargs)
    except NetlinkError as error:
        if error.code not in _HARMLESS:
            raise KernelRefusal(error.code, f"routing was refused: {error}") from None


_FAMILIES = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}

# A route that is thrown back goes on to the next rule: the host's ordinary routes.
_ROUTE_TYPES = {
    PolicyAction.PROTECT: "unicast",
    PolicyAction.PASS: "throw",
    PolicyAction.DROP: "blackhole",
}

# There already, gone already, or a host without that family.
_HARMLESS = frozenset(
    {errno.EEXIST, errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EAFNOSUPPORT, errno.EOPNOTSUPP}
)
