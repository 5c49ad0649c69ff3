"""The way into the TUN device."""

from __future__ import annotations

from pathlib import Path

from pyroute2 import IPRoute

from ikeactors.actors.routes import (
    BLOCKED_METRIC,
    Hop,
    Kind,
    Route,
    host_addresses,
    kept_out,
    source_within,
)
from ikeactors.kernel.requests import Direction, PolicyAction, PolicyRequest

# Ours: leaves room for ESP, UDP and an outer IPv6 header in an Ethernet frame.
DEFAULT_MTU = 1400

_ADDR_GEN_MODE_NONE = "1"


class DeviceWay:
    """Routes to a device; selectors' protocols and ports are not routed by."""

    def __init__(self, device: str, mtu: int) -> None:
        self._device = device
        self._mtu = mtu
        self._index = 0

    def open(self, ip: IPRoute) -> None:
        """Bring the device up."""
        self._index = ip.link_lookup(ifname=self._device)[0]
        _without_link_local_address(self._device)
        ip.link("set", index=self._index, mtu=self._mtu, state="up")

    def routes_of(self, ip: IPRoute, policy: PolicyRequest) -> list[Route]:
        """A route to each remote network, and to what of it is not behind the tunnel."""
        if policy.direction != Direction.OUT:
            return []
        networks = policy.destination.networks()
        blocked = [Route(one, Kind.BLACKHOLE, metric=BLOCKED_METRIC) for one in networks]
        if policy.action is not PolicyAction.PROTECT:
            others = [Route(network, _KINDS[policy.action]) for network in networks]
            return blocked if policy.blocks else others
        addresses = host_addresses(ip, policy.destination.start.version)
        source = source_within(addresses, policy.source)
        routes = [Route(network, hop=Hop(self._index), source=source) for network in networks]
        for network in networks:
            routes += kept_out(network, addresses, policy.tunnel_destination)
        return routes + blocked if policy.blocks else routes


def _without_link_local_address(device: str) -> None:
    """Keep router solicitations out of the tunnel, where the host has IPv6."""
    mode = Path("/proc/sys/net/ipv6/conf") / device / "addr_gen_mode"
    if mode.exists():
        mode.write_text(_ADDR_GEN_MODE_NONE)


_KINDS = {PolicyAction.PASS: Kind.THROW, PolicyAction.DROP: Kind.BLACKHOLE}
