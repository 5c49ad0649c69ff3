"""Routes and rules in the real kernel, in a namespace."""

from __future__ import annotations

import sys
import textwrap

import pytest

from tests.lab.namespaces import Network, direct

pytestmark = pytest.mark.netns

HEAD = """
import errno, subprocess
from dataclasses import replace
import trio
from ikeactors.actors.routes import Routes, Routing
from ikeactors.actors.userspace.routes import DeviceWay
from ikeactors.actors.userspace.tun import Tun
from ikeactors.kernel.requests import Direction, KernelRefusal, PolicyAction
from tests.fakes.sas import policy

def shown(*words):
    text = subprocess.run(["ip", *words], capture_output=True, text=True).stdout
    return [" ".join(line.split()) for line in text.splitlines()]

def table(family="-4"):
    return shown(family, "route", "show", "table", "220")
"""


def run(net: Network, program: str) -> None:
    """Run a program in west's namespace, whose assertions are the test's."""
    body = textwrap.indent(textwrap.dedent(program), "    ")
    net.west.run(sys.executable, "-c", f"{HEAD}\nasync def main():\n{body}\ntrio.run(main)\n")


def test_a_route_is_there_as_long_as_a_policy_needs_it() -> None:
    with direct() as net:
        run(
            net,
            """
            tun = Tun.open("ike0")
            routes = Routes(DeviceWay(tun.name, 1300), Routing())
            await routes.open()
            assert "mtu 1300" in shown("link", "show", "ike0")[0]
            first, second = policy(), policy("10.1.0.0/25")
            await routes.add((first, second, first))
            assert table() == ["10.2.0.0/24 dev ike0 proto 222 src 10.1.0.1"], table()
            await routes.remove((first,))
            assert len(table()) == 1
            await routes.remove((second, second))
            assert table() == []
            await routes.add((policy("fd01::/64", "fd02::/64"),))
            assert table("-6")[0].startswith("fd02::/64 dev ike0 proto 222 src fd01::1")
            await routes.add((policy(direction=Direction.IN), policy(direction=Direction.FWD)))
            assert table() == []
            await routes.aclose()
            assert table("-6") == []
            assert not [line for line in shown("rule") + shown("-6", "rule") if "220" in line]
            """,
        )


def test_what_is_not_to_be_protected_goes_on_to_the_hosts_own_routes() -> None:
    with direct() as net:
        run(
            net,
            """
            tun = Tun.open("ike0")
            routes = Routes(DeviceWay(tun.name, 1400), Routing(table=230, mark=5))
            await routes.open()
            everything = policy("0.0.0.0/0", "0.0.0.0/0")
            spared = replace(policy(destination="10.77.0.0/24"), action=PolicyAction.PASS)
            dropped = replace(policy(destination="10.66.0.0/24"), action=PolicyAction.DROP)
            await routes.add((everything, spared, dropped))
            assert "dev ike0" in shown("route", "get", "192.0.2.1")[0]
            assert "ike0" not in shown("route", "get", "10.77.0.2")[0]
            assert shown("route", "get", "10.66.0.1") == []
            assert "ike0" not in shown("route", "get", "10.77.0.2", "mark", "5")[0]
            assert "not from all fwmark 0x5 lookup 230" in " ".join(shown("rule"))
            await routes.aclose()
            assert shown("route", "show", "table", "230") == []
            """,
        )


def test_a_predecessors_routes_stay_until_it_is_known_which_are_needed() -> None:
    with direct() as net:
        run(
            net,
            """
            shown(*"route add blackhole 10.66.0.0/24 table 220 proto 222".split())
            shown(*"route add 10.88.0.0/24 dev lo table 220 proto static".split())
            tun = Tun.open("ike0")
            needed = (policy(), policy("0.0.0.0/0", "0.0.0.0/0"), policy("fd01::/64", "fd02::/64"))
            for others in ((policy("fd01::/64", "fd03::/64"),), ()):
                routes = Routes(DeviceWay(tun.name, 1400), Routing(stays=True))
                await routes.open()
                await routes.add((*needed, *others))
                await routes.aclose()
            left = table() + table("-6")
            assert len(left) == 8, left
            await routes.sweep()
            gone = [line for line in left if line not in table() + table("-6")]
            assert [line.split()[:2] for line in gone] == [
                ["blackhole", "10.66.0.0/24"], ["fd03::/64", "dev"]
            ], gone
            assert len([line for line in shown("rule") if "220" in line]) == 1
            await Routes(DeviceWay(tun.name, 1400), Routing()).sweep()
            assert table() == ["10.88.0.0/24 dev lo proto static scope link"], table()
            assert table("-6") == []
            """,
        )


def test_without_routing_only_the_device_is_set_up() -> None:
    with direct() as net:
        run(
            net,
            """
            tun = Tun.open("ike%d")
            assert tun.name == "ike0"
            routes = Routes(DeviceWay(tun.name, 1400), Routing(install=False))
            await routes.open()
            await routes.add((policy(),))
            assert table() == []
            assert "UP" in shown("link", "show", "ike0")[0]
            await routes.remove((policy(),))
            await routes.aclose()
            """,
        )


def test_a_device_that_cannot_be_had_is_refused_with_the_reason() -> None:
    with direct() as net:
        run(
            net,
            """
            tun = Tun.open("ike0")
            for name, text in (("ike0", "another program"), ("x" * 16, "too long")):
                try:
                    Tun.open(name)
                except KernelRefusal as refusal:
                    assert text in str(refusal), refusal
                else:
                    raise AssertionError(name)
            tun.close()
            tun.close()
            assert shown("link", "show", "ike0") == []
            """,
        )
