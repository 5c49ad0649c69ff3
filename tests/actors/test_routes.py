"""The routing table of our own, in the real kernel, in a namespace."""

from __future__ import annotations

import sys
import textwrap

import pytest

from tests.lab.namespaces import Network, direct

pytestmark = pytest.mark.netns

HEAD = """
import errno, subprocess
from dataclasses import replace
from ipaddress import ip_address, ip_network
import trio
from ikeactors.actors.routes import Hop, Kind, Route, Routes, Routing
from ikeactors.kernel.requests import KernelRefusal
from tests.fakes.sas import policy

def table(family="-4"):
    words = ["ip", family, "route", "show", "table", "220"]
    text = subprocess.run(words, capture_output=True, text=True).stdout
    return [" ".join(line.split()) for line in text.splitlines()]

class FakeWay:
    '''The routes that a test says a policy needs.'''

    def __init__(self):
        self.routes = {}

    def open(self, ip):
        self.loopback = Hop(ip.link_lookup(ifname="lo")[0])

    def routes_of(self, ip, policy):
        return self.routes[policy]

NET = ip_network("10.2.0.0/24")
SOURCE = ip_address("10.1.0.1")
"""


def run(net: Network, program: str) -> None:
    """Run a program in west's namespace, whose assertions are the test's."""
    lines = "way = FakeWay()\nroutes = Routes(way, Routing())\nawait routes.open()\n"
    body = textwrap.indent(lines + textwrap.dedent(program), "    ")
    net.west.run(sys.executable, "-c", f"{HEAD}\nasync def main():\n{body}\ntrio.run(main)\n")


def test_of_two_routes_to_a_network_the_one_with_a_source_is_in_force() -> None:
    with direct() as net:
        run(
            net,
            """
            one, other = policy(), policy("10.3.0.0/24")
            way.routes[one] = [Route(NET, hop=way.loopback, source=SOURCE)]
            way.routes[other] = [Route(NET, hop=way.loopback)]
            for first, second in ((one, other), (other, one)):
                await routes.add((first,))
                await routes.add((second,))
                assert len(table()) == 1
                assert "src 10.1.0.1" in table()[0]
                await routes.remove((one,))
                assert len(table()) == 1
                assert "src" not in table()[0]
                await routes.remove((other,))
                assert table() == []
            """,
        )


def test_a_policy_whose_way_changes_leaves_none_of_its_former_routes() -> None:
    with direct() as net:
        run(
            net,
            """
            spared = Route(ip_network("10.2.0.1/32"), Kind.THROW, metric=1 << 31)
            way.routes[policy()] = [Route(NET, hop=way.loopback), spared]
            await routes.add((policy(),))
            assert [line.split()[:2] for line in table()] == [
                ["10.2.0.0/24", "dev"], ["throw", "10.2.0.1"]
            ]
            way.routes[policy()] = [Route(NET, hop=way.loopback, source=SOURCE)]
            await routes.add((policy(),))
            assert len(table()) == 1
            assert "src 10.1.0.1" in table()[0]
            await routes.remove((policy(),))
            assert table() == []
            """,
        )


def test_what_is_kept_out_gives_way_to_a_tunnel_to_just_that() -> None:
    with direct() as net:
        run(
            net,
            """
            one, other = policy(), policy(destination="10.2.0.0/25")
            way.routes[one] = [Route(NET, Kind.THROW, metric=1 << 31)]
            way.routes[other] = [Route(NET, hop=way.loopback)]
            await routes.add((other, one))
            shown = subprocess.run(
                ["ip", "route", "get", "10.2.0.9"], capture_output=True, text=True
            ).stdout
            assert "table 220" in shown, shown
            await routes.aclose()
            assert table() == []
            """,
        )


def test_a_route_that_is_refused_takes_the_others_along() -> None:
    with direct() as net:
        run(
            net,
            """
            way.routes[policy()] = [
                Route(NET, hop=way.loopback),
                Route(ip_network("10.3.0.0/24"), hop=Hop(99)),
            ]
            try:
                await routes.add((policy(),))
            except KernelRefusal as refusal:
                assert refusal.errno == errno.ENODEV
                assert "the route to 10.3.0.0/24 was refused" in str(refusal)
            else:
                raise AssertionError("it was not refused")
            assert table() == []
            """,
        )


def test_a_refused_rule_names_the_option_and_leaves_no_rule_behind() -> None:
    with direct() as net:
        run(
            net,
            """
            def rules():
                texts = (subprocess.check_output(["ip", one, "rule"]) for one in ("-4", "-6"))
                return b"".join(texts)

            await routes.aclose()
            before = rules()
            # IPv4 finds itself a table for this, IPv6 does not.
            try:
                await Routes(way, Routing(table=0)).open()
            except KernelRefusal as refusal:
                assert str(refusal).startswith("daemon.routing_table = 0: "), refusal
            else:
                assert False, rules()
            assert rules() == before, rules()
            """,
        )
