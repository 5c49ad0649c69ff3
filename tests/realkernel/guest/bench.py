"""Two back ends of a real kernel, each in a namespace, and hand-made tunnels between them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TypeVar

import trio
from pyroute2 import netns

from ikeactors.actors.backends import KernelEvent
from ikeactors.actors.probing import open_xfrm
from ikeactors.actors.xfrm import XfrmBackend
from ikeactors.kernel.requests import (
    Address,
    Direction,
    Encapsulation,
    PolicyRequest,
    SaId,
    SaRequest,
)
from tests.fakes.sas import GCM, policy, sa
from tests.lab.namespaces import Gateway, Network
from tests.lab.traffic import Pings

T = TypeVar("T")

INNER = (("10.1.0.0/24", "10.2.0.0/24"), ("fd01::/64", "fd02::/64"))
# linux/udp.h
_UDP_ENCAP = 100
_ESP_IN_UDP = 2
_PATIENCE = 15.0


def inside(gateway: Gateway, job: Callable[[], T]) -> T:
    """Do a job in a thread of its own that has entered the gateway's namespace."""

    def entered() -> T:
        netns.setns(gateway.namespace)
        return job()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(entered).result()


@dataclass(frozen=True, slots=True)
class Ends:
    """The SAs of a tunnel: as west has them and as east has them, outbound first."""

    west: tuple[SaRequest, SaRequest]
    east: tuple[SaRequest, SaRequest]


class Bench:
    """The two namespaces and their back ends, with routes between the subnets."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.west = inside(network.west, open_xfrm)
        self.east = inside(network.east, open_xfrm)
        self._sockets = [
            self.listen(gateway, address=gateway.outer[version])
            for gateway in (network.west, network.east)
            for version in (4, 6)
        ]
        for near, far in ((network.west, network.east), (network.east, network.west)):
            for version in (4, 6):
                near.run(
                    *("ip", "route", "replace", far.subnet[version], "via", far.outer[version]),
                    *("src", near.inner[version]),
                )

    async def aclose(self) -> None:
        """Let the kernel's sockets go."""
        for one in self._sockets:
            one.close()
        await self.west.aclose()
        await self.east.aclose()

    def listen(self, gateway: Gateway, port: int = 4500, address: str = "") -> socket.socket:
        """A socket whose ESP in UDP the kernel takes."""

        def opened() -> socket.socket:
            place = address or gateway.outer[4]
            family = socket.AF_INET6 if ":" in place else socket.AF_INET
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.bind((place, port))
            udp.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _ESP_IN_UDP)
            return udp

        return inside(gateway, opened)

    def ends(
        self, template: SaRequest | None = None, version: int = 4, udp: bool = True, west: str = ""
    ) -> Ends:
        """A tunnel's four SAs, made after a template."""
        here = ip_address(west or self.network.west.outer[version])
        there = ip_address(self.network.east.outer[version])
        ports = Encapsulation(4500, 4500) if udp else None
        made = replace(template or sa(suite=GCM), encapsulation=ports, direction=Direction.OUT)
        out = replace(made, spi=0x1000, source=here, destination=there)
        back = replace(made, spi=0x2000, source=there, destination=here)
        return Ends(
            (out, replace(back, direction=Direction.IN)),
            (back, replace(out, direction=Direction.IN)),
        )

    async def connect(self, ends: Ends) -> None:
        """Install a tunnel at both ends."""
        await self.west.install(ends.west, west_policies(ends))
        await self.east.install(ends.east, east_policies(ends))

    async def disconnect(self, ends: Ends) -> None:
        """Remove it again: nothing is left then."""
        await self.west.remove(ids(ends.west), west_policies(ends))
        await self.east.remove(ids(ends.east), east_policies(ends))
        assert self.left() == ""

    def left(self) -> str:
        """The SAs and policies in both namespaces."""
        gateways = (self.network.west, self.network.east)
        words = (("ip", "xfrm", "state"), ("ip", "xfrm", "policy"))
        return "".join(gateway.run(*one) for gateway in gateways for one in words)

    def states(self) -> str:
        """West's SAs as iproute2 shows them."""
        return self.network.west.run("ip", "-s", "xfrm", "state")

    async def answered(self, version: int, count: int = 1) -> int:
        """How many pings from west to east come back."""
        west, east = self.network.west, self.network.east
        pings = Pings.start(west, east, version, count, interval=0.1)
        return await trio.to_thread.run_sync(pings.received)


async def events(backend: XfrmBackend, count: int) -> list[KernelEvent]:
    """The next events of the kernel; fewer where they do not come in time."""
    found: list[KernelEvent] = []
    with trio.move_on_after(_PATIENCE):
        while len(found) < count:
            found.append(await anext(backend.events()))
    return found


def ids(sas: Sequence[SaRequest]) -> list[SaId]:
    """The names of SAs."""
    return [one.sa_id for one in sas]


def west_policies(ends: Ends) -> tuple[PolicyRequest, ...]:
    """West's policies for both inner families."""
    return _policies(ends.west[0], INNER)


def east_policies(ends: Ends) -> tuple[PolicyRequest, ...]:
    """East's policies for both inner families."""
    return _policies(ends.east[0], tuple((there, here) for here, there in INNER))


def _policies(outbound: SaRequest, inner: Sequence[tuple[str, str]]) -> tuple[PolicyRequest, ...]:
    here, there = outbound.source, outbound.destination
    made: list[PolicyRequest] = []
    for local, remote in inner:
        made.append(_between(policy(local, remote), here, there))
        made += [
            _between(policy(remote, local, direction), there, here)
            for direction in (Direction.IN, Direction.FWD)
        ]
    return tuple(replace(one, protocol=outbound.protocol) for one in made)


def _between(request: PolicyRequest, source: Address, destination: Address) -> PolicyRequest:
    return replace(request, tunnel_source=source, tunnel_destination=destination)


def other_tunnel(ends: Ends) -> Ends:
    """Another tunnel between the same ends."""
    shifted = [replace(one, spi=one.spi + 0x100, reqid=8) for one in (*ends.west, *ends.east)]
    return Ends((shifted[0], shifted[1]), (shifted[2], shifted[3]))


def turned(request: PolicyRequest, direction: Direction) -> PolicyRequest:
    """The policy of the other end for the same packets."""
    return replace(request, direction=direction)
