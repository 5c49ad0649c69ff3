"""The routes in our table that are ours, whoever of us made them.

Those of a daemon before this one carry traffic until it is known which of them are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from pyroute2 import IPRoute

# Ours: the number that says which routes are ours (/etc/iproute2/rt_protos leaves it free).
ROUTE_PROTOCOL = 222

# linux/ipv6_route.h, IP6_RT_PRIO_USER: what a route without a metric gets.
_IPV6_METRIC = 1024
_EVERYWHERE = {2: "0.0.0.0", 10: "::"}

Place = tuple[IPv4Network | IPv6Network, int]


class LeftRoute(NamedTuple):
    """Where a route is in the table, and what pyroute2 wants to hear to remove it."""

    place: Place
    arguments: Mapping[str, object]


def left_routes(ip: IPRoute, table: int, families: Iterable[int]) -> Iterator[LeftRoute]:
    """All that are there."""
    for family in families:
        for message in ip.get_routes(family=family, table=table):
            if message["proto"] != ROUTE_PROTOCOL:
                continue
            attributes = dict(message["attrs"])
            start = attributes.get("RTA_DST", _EVERYWHERE[family])
            network = ip_network((start, message["dst_len"]))
            metric = attributes.get("RTA_PRIORITY", 0)
            arguments = {
                "dst": str(network),
                "family": family,
                "table": table,
                "proto": ROUTE_PROTOCOL,
                "type": message["type"],
                "priority": metric,
            }
            unsaid = _IPV6_METRIC if network.version == 6 else 0
            yield LeftRoute((network, 0 if metric == unsaid else metric), arguments)
