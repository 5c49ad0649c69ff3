"""Routes beside the kernel's IPsec: where they lead in a real kernel, and when they come and go."""

from __future__ import annotations

import errno
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio

from ikeactors.actors.routes import Routing
from ikeactors.actors.xfrm_routes import RoutedBackend, with_routes
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import Direction, KernelRefusal, Mark, Mode, PolicyRequest
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.sas import policy, sa
from tests.lab.namespaces import Network, direct

HEAD = """
import subprocess
from dataclasses import replace
from ipaddress import ip_address
import trio
from ikeactors.actors.routes import Routes, Routing
from ikeactors.actors.xfrm_routes import OuterWay
from ikeactors.kernel.requests import Direction, Mark, Mode, PolicyAction
from tests.fakes.sas import policy

def shown(*words):
    text = subprocess.run(["ip", *words], capture_output=True, text=True).stdout
    return [" ".join(line.split()) for line in text.splitlines()]

def table(family="-4"):
    return shown(family, "route", "show", "table", "220")
"""


def run(net: Network, program: str) -> None:
    """Run a program in west's namespace, whose assertions are the test's."""
    lines = "routes = Routes(OuterWay(0x1ce), Routing())\nawait routes.open()\n"
    body = textwrap.indent(lines + textwrap.dedent(program), "    ")
    net.west.run(sys.executable, "-c", f"{HEAD}\nasync def main():\n{body}\ntrio.run(main)\n")


@pytest.mark.netns
def test_a_route_leads_to_where_the_tunnels_own_packets_leave() -> None:
    with direct() as net:
        run(
            net,
            """
            await routes.add((policy(), policy("fd01::/64", "fd02::/64")))
            assert table() == ["10.2.0.0/24 dev to-e proto 222 src 10.1.0.1"], table()
            assert table("-6")[0].startswith("fd02::/64 dev to-e proto 222 src fd01::1")
            # A gateway without an address inside the local selector routes for others.
            await routes.add((policy("10.5.0.0/24", "10.6.0.0/24"),))
            assert "10.6.0.0/24 dev to-e proto 222" in table()
            shown("route", "add", "10.99.0.0/24", "via", "10.77.0.2")
            behind = replace(policy(destination="10.7.0.0/24"),
                             tunnel_destination=ip_address("10.99.0.1"))
            await routes.add((behind,))
            line = next(line for line in table() if line.startswith("10.7.0.0/24"))
            assert "via 10.77.0.2 dev to-e" in line, line
            await routes.aclose()
            assert table() + table("-6") == []
            assert not [line for line in shown("rule") + shown("-6", "rule") if "220" in line]
            """,
        )


@pytest.mark.netns
def test_what_needs_no_route_has_none() -> None:
    with direct() as net:
        run(
            net,
            """
            far = ip_address("198.51.100.1")
            await routes.add((
                policy(direction=Direction.IN),
                policy(direction=Direction.FWD),
                replace(policy(), mode=Mode.TRANSPORT),
                replace(policy(), mark=Mark(5)),
                replace(policy(), if_id=7),
                replace(policy(), action=PolicyAction.DROP),
                replace(policy(destination="10.8.0.0/24"), tunnel_destination=far),
                replace(policy(destination="10.9.0.0/24"), tunnel_source=far),
                replace(policy(destination="10.10.0.0/24"),
                        tunnel_destination=ip_address("10.77.0.1")),
            ))
            assert table() == []
            await routes.add((replace(policy(), action=PolicyAction.PASS),))
            assert table() == ["throw 10.2.0.0/24 proto 222"]
            """,
        )


@pytest.mark.netns
def test_a_tunnel_to_everywhere_leaves_neighbours_and_the_peer_where_they_are() -> None:
    with direct() as net:
        run(
            net,
            """
            shown("route", "add", "203.0.113.0/24", "via", "10.77.0.2")
            peer = ip_address("203.0.113.1")
            everywhere = replace(policy(destination="0.0.0.0/0"), tunnel_destination=peer)
            await routes.add((everywhere, replace(policy("fd01::/64", "::/0"))))
            got = lambda *words: shown("route", "get", *words)[0]
            assert "via 10.77.0.2" in got("192.0.2.1") and "src 10.1.0.1" in got("192.0.2.1")
            assert "table 220" not in got("10.77.0.2") and "src 10.77.0.1" in got("10.77.0.2")
            assert "src 10.77.0.1" in got("203.0.113.1")
            assert "src 10.77.0.1" in got("203.0.113.9", "mark", "0x1ce")
            got6 = lambda *words: shown("-6", "route", "get", *words)[0]
            assert "src fd01::1" in got6("2001:db8::1"), got6("2001:db8::1")
            assert "src fd77::1" in got6("fd77::2")
            assert [line.split()[1] for line in table() if "throw" in line] == [
                "10.77.0.0/24", "203.0.113.1"
            ]
            await routes.remove((everywhere,))
            assert table() == []
            """,
        )


class FakeRoutes:
    """Routes that only keep what they are told."""

    def __init__(self, kernel: SimulatedKernel) -> None:
        self.policies: list[PolicyRequest] = []
        self.unprotected: list[PolicyRequest] = []
        self.is_closed = False
        self.refuses = False
        self._kernel = kernel

    async def add(self, policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self._look(policies)
        if self.refuses:
            raise KernelRefusal(errno.ENETDOWN, "the route was refused")
        self.policies += policies

    async def remove(self, policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self._look(policies)
        self.policies = [one for one in self.policies if one not in policies]

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.is_closed = True

    def _look(self, policies: Sequence[PolicyRequest]) -> None:
        self.unprotected += [one for one in policies if key_of(one) not in self._kernel.policies]


class Bench:
    """A simulated kernel with routes."""

    def __init__(self) -> None:
        self.kernel = SimulatedKernel()
        self.routes = FakeRoutes(self.kernel)
        self.backend = RoutedBackend(self.kernel, self.routes, 0x1CE)


async def test_a_route_is_never_there_without_its_policy() -> None:
    bench = Bench()
    await bench.backend.install((sa(),), (policy(),))
    assert bench.routes.policies == [policy()]
    moved = policy(destination="10.9.0.0/24")
    await bench.backend.move((sa().sa_id,), (sa(),), (policy(),), (moved,))
    assert bench.routes.policies == [moved]
    await bench.backend.remove((sa().sa_id,), (moved,))
    assert bench.routes.policies == []
    assert bench.routes.unprotected == []
    assert bench.kernel.sas == {}
    await bench.backend.aclose()
    assert bench.routes.is_closed
    assert not bench.kernel.is_open


async def test_a_refusal_of_a_route_leaves_nothing() -> None:
    bench = Bench()
    bench.routes.refuses = True
    with pytest.raises(KernelRefusal, match="the route was refused"):
        await bench.backend.install((sa(),), (policy(),))
    assert bench.kernel.sas == {}
    assert bench.kernel.policies == {}


async def test_outbound_tunnels_mark_their_packets() -> None:
    bench = Bench()
    inbound = sa(0x2000, Direction.IN)
    transport = replace(sa(0x3000), mode=Mode.TRANSPORT)
    marked = replace(sa(0x4000), output_mark=Mark(9))
    await bench.backend.install((sa(), inbound, transport, marked), ())
    marks = [one.output_mark for one in bench.kernel.sas.values()]
    assert marks == [Mark(0x1CE), None, None, Mark(9)]


async def test_events_and_usage_are_the_kernels() -> None:
    bench = Bench()
    await bench.backend.install((sa(),), ())
    bench.kernel.expire(sa().sa_id, hard=False)
    assert (await anext(bench.backend.events())).sa_id == sa().sa_id
    assert [one.sa_id for one in await bench.backend.usage((sa().sa_id,))] == [sa().sa_id]
    assert bench.backend.name == "simulated"


async def test_other_data_planes_are_left_as_they_are() -> None:
    kernel = SimulatedKernel()
    assert await with_routes(kernel, Routing()) is kernel
