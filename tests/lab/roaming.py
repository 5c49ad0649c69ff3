"""Gateways that move: addresses of their outer links that come and go under a tunnel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lab.commands import run
from tests.lab.namespaces import Gateway, Network
from tests.lab.pair import KINDS, Kinds, LabPeer, Pair
from tests.lab.peer import Section
from tests.lab.tunnels import GCM, IDENTITIES, connection

# What a gateway's other addresses are, by IP version; the link is the same.
OTHER = {
    "west": {4: "10.77.0.11", 6: "fd77::11"},
    "east": {4: "10.77.0.12", 6: "fd77::12"},
}
_BITS = {4: 24, 6: 64}


@contextmanager
def roaming(network: Network, kinds: tuple[str, str], made: Kinds = KINDS) -> Iterator[Pair]:
    """A pair of these kinds, `made` so, whose connections take any address at either end.

    Both call each other at the first address; what they use after that is theirs to say.
    """
    with (
        _running(made[kinds[1]], network, network.east) as east,
        _running(made[kinds[0]], network, network.west) as west,
    ):
        yield Pair(network, west, east)


@contextmanager
def _running(
    made: Callable[[Gateway, Section, list[str]], LabPeer], network: Network, gateway: Gateway
) -> Iterator[LabPeer]:
    anywhere: Section = {"local_addrs": "%any", "mobike": True, "encap": True}
    if gateway is network.east:
        anywhere = {**anywhere, "remote_addrs": "%any"}
    settings = connection(network, gateway, GCM, options=anywhere)
    peer = made(gateway, settings, IDENTITIES)
    try:
        yield peer
    finally:
        peer.stop()


def add(gateway: Gateway, version: int = 4, address: str = "") -> None:
    """The gateway gets its other address."""
    address = address or OTHER[gateway.label][version]
    nodad = ["nodad"] if version == 6 else []
    _ip(gateway, "add", f"{address}/{_BITS[version]}", *nodad)


def remove(gateway: Gateway, address: str) -> None:
    """The gateway loses an address. What is left of that network takes its place."""
    version = 6 if ":" in address else 4
    run("ip", "netns", "exec", gateway.namespace, "sysctl", "-qw", _PROMOTE)
    _ip(gateway, "del", f"{address}/{_BITS[version]}")


# Without it the kernel removes the other addresses of a network with the first.
_PROMOTE = "net.ipv4.conf.all.promote_secondaries=1"


def _ip(gateway: Gateway, verb: str, address: str, *more: str) -> None:
    links = run("ip", "-n", gateway.namespace, "-br", "link", "show", "type", "veth")
    device = links.split("@")[0]
    run("ip", "-n", gateway.namespace, "addr", verb, address, "dev", device, *more)
