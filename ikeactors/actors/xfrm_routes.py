"""The kernel's IPsec with routes to the remote networks, as a gateway without them needs.

XFRM sees a packet only once it has a route. Ours goes where the tunnel's own packets go, and names
an address inside the local selector, so that what this host itself sends falls under the policy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address

import trio
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ikeactors.actors.backends import Backend, KernelEvent
from ikeactors.actors.routes import (
    Hop,
    Kind,
    Route,
    Routes,
    Routing,
    family_of,
    host_addresses,
    kept_out,
    source_within,
)
from ikeactors.actors.xfrm import XfrmBackend
from ikeactors.actors.xfrm_interfaces import InterfacedBackend, Interfaces
from ikeactors.kernel.interfaces import Interface
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import (
    Direction,
    KernelRefusal,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)

# linux/rtnetlink.h: a route to another host, and not to this one or to none.
_RTN_UNICAST = 1


def _no_device(_: int) -> int | None:
    """There are no interfaces of ours."""
    return None


class OuterWay:
    """Routes to where a tunnel's packets leave. `mark` is that of packets past our own table."""

    def __init__(self, mark: int, index_of: Callable[[int], int | None] = _no_device) -> None:
        self._mark = mark
        self._index_of = index_of

    def open(self, ip: IPRoute) -> None:
        """There is no device of our own."""

    def routes_of(self, ip: IPRoute, policy: PolicyRequest) -> list[Route]:
        """The routes of a tunnel's outbound policy.

        Who uses marks or XFRM interfaces of her own routes by these, and transport mode has a
        route. What is dropped is dropped whatever its route; what passes takes the host's ordinary
        routes. An XFRM interface of ours is where its packets are routed to.
        """
        device = self._index_of(policy.if_id) if policy.if_id else None
        is_routed = policy.direction == Direction.OUT and policy.mode is Mode.TUNNEL
        if not is_routed or policy.mark is not None or (policy.if_id and device is None):
            return []
        networks = policy.destination.networks()
        is_held = policy.blocks and device is not None
        if policy.action is not PolicyAction.PROTECT and not is_held:
            is_spared = policy.action is PolicyAction.PASS
            return [Route(network, Kind.THROW) for network in networks] if is_spared else []
        hop = self._hop(ip, policy, device)
        if hop is None:
            return []
        version = policy.destination.start.version
        if hop.gateway is not None and hop.gateway.version != version:
            # XFRM asks the outer header's router; that of the inner one is never looked for.
            hop = Hop(hop.device)
        addresses = host_addresses(ip, version)
        source = source_within(addresses, policy.source)
        routes = [Route(network, hop=hop, source=source) for network in networks]
        for network in networks:
            routes += kept_out(network, addresses, policy.tunnel_destination)
        return routes

    def _hop(self, ip: IPRoute, policy: PolicyRequest, device: int | None) -> Hop | None:
        """Where packets to a peer leave this host, or their interface; None when they do not."""
        if device is not None:
            return Hop(device)
        source, destination = policy.tunnel_source, policy.tunnel_destination
        wanted = {"dst": str(destination), "src": str(source), "mark": self._mark}
        try:
            (found,) = ip.route("get", family=family_of(destination), **wanted)
        except NetlinkError:
            return None
        attributes = dict(found["attrs"])
        if found["type"] != _RTN_UNICAST or "RTA_OIF" not in attributes:
            return None
        gateway = attributes.get("RTA_GATEWAY")
        return Hop(attributes["RTA_OIF"], None if gateway is None else ip_address(gateway))


async def with_routes(
    backend: Backend, routing: Routing, interfaces: Sequence[Interface] = ()
) -> Backend:
    """The kernel's IPsec with routes and XFRM interfaces, where these are wanted.

    Other data planes have their own routes.
    """
    if not isinstance(backend, XfrmBackend):
        return backend
    made = Interfaces(interfaces, routing.mark)
    below: Backend = InterfacedBackend(backend, made) if interfaces else backend
    if not routing.install:
        return below
    routes = Routes(OuterWay(routing.mark, made.index_of), routing)
    try:
        await routes.open()
    except KernelRefusal:
        await backend.aclose()
        raise
    return RoutedBackend(below, routes, routing.mark)


class RoutedBackend:
    """A back end whose outbound policies have routes, and whose own packets do not take these."""

    def __init__(self, backend: Backend, routes: Routes, mark: int) -> None:
        self._backend = backend
        self._routes = routes
        self._mark = Mark(mark)

    @property
    def name(self) -> str:
        return self._backend.name

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        # Policies before routes, and the other way round at the end: packets that have the one
        # without the other must not leave in the clear.
        marked = self._marked(sas)
        await self._backend.install(marked, policies)
        try:
            await self._routes.add(policies)
        except KernelRefusal:
            await self._backend.remove([request.sa_id for request in marked], policies)
            raise

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        await self._routes.remove(policies)
        await self._backend.remove(sas, policies)

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        kept = {key_of(one) for one in policies}
        await self._routes.remove([one for one in old_policies if key_of(one) not in kept])
        await self._backend.move(old, self._marked(sas), old_policies, policies)
        await self._routes.add(policies)

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        return await self._backend.usage(sa_ids)

    async def inventory(self) -> Inventory:
        return await self._backend.inventory()

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        return await self._backend.lacking(policies)

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        # Their routes are there.
        await self._backend.restore(policies)

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        await self._backend.clear(strays)

    def events(self) -> AsyncIterator[KernelEvent]:
        return self._backend.events()

    async def sweep(self) -> None:
        """Take away the routes that a predecessor has left and nobody needs."""
        await self._routes.sweep()

    async def aclose(self) -> None:
        try:
            await self._routes.aclose()
        finally:
            with trio.CancelScope(shield=True):
                await self._backend.aclose()

    def _marked(self, sas: Sequence[SaRequest]) -> list[SaRequest]:
        """Outbound SAs whose packets carry our mark."""
        return [
            replace(request, output_mark=self._mark) if _takes_our_mark(request) else request
            for request in sas
        ]


def _takes_our_mark(request: SaRequest) -> bool:
    """Where the operator has set a mark, routing by it is hers."""
    is_tunnel = request.direction == Direction.OUT and request.mode is Mode.TUNNEL
    return is_tunnel and request.output_mark is None
