"""This host's addresses: read from the real kernel, told once a storm."""

from __future__ import annotations

import sys
import textwrap
from ipaddress import ip_address

import pytest

from ikeactors.actors.addresses import HostAddresses, read_addresses
from tests.lab.namespaces import Network, direct

HEAD = """
import subprocess
from ipaddress import ip_address
import trio
from ikeactors.actors import addresses
from ikeactors.actors.addresses import HostAddresses, run_addresses
from ikeactors.actors.reports import ReportHub

ONE, OTHER = ip_address("198.51.100.1"), ip_address("2001:db8::1")
host, told = HostAddresses(), []
send, receive = trio.open_memory_channel(100)

async def tell(changed):
    told.append(changed)
    send.send_nowait(changed)

def ip(*words):
    subprocess.run(["ip", *words], check=True)

async def next_told():
    with trio.fail_after(30):
        return await receive.receive()
"""


def run(net: Network, program: str) -> None:
    """Run a program in west's namespace beside the actor; its assertions are the test's."""
    body = textwrap.indent(textwrap.dedent(program), " " * 8)
    head = (
        "async def main():\n    async with trio.open_nursery() as nursery:\n"
        "        nursery.start_soon(run_addresses, host, ReportHub(lambda: 0.0), tell)\n"
        "        assert await next_told()\n"
    )
    tail = "        nursery.cancel_scope.cancel()\ntrio.run(main)\n"
    net.west.run(sys.executable, "-c", f"{HEAD}\n{head}{body}\n{tail}")


def test_this_host_has_its_loopback_address() -> None:
    assert ip_address("127.0.0.1") in read_addresses()


def test_the_same_addresses_are_the_same_object() -> None:
    host = HostAddresses()
    assert host.addresses() == ()
    assert host.look()
    before = host.addresses()
    assert not host.look()
    assert host.addresses() is before
    assert (host.statistics().looks, host.statistics().changes) == (2, 1)
    assert "127.0.0.1" in host.statistics().addresses


@pytest.mark.netns
def test_addresses_that_come_and_go_are_told() -> None:
    with direct() as net:
        run(
            net,
            """
            ip("addr", "add", "198.51.100.1/24", "dev", "lo")
            ip("-6", "addr", "add", "2001:db8::1/64", "dev", "lo", "nodad")
            assert await next_told()
            assert {ONE, OTHER} <= set(host.addresses())
            ip("addr", "del", "198.51.100.1/24", "dev", "lo")
            assert await next_told()
            assert ONE not in host.addresses() and OTHER in host.addresses()
            """,
        )


@pytest.mark.netns
def test_a_route_is_told_and_changes_no_address() -> None:
    with direct() as net:
        run(
            net,
            """
            ip("route", "add", "203.0.113.0/24", "dev", "lo", "proto", "222", "table", "220")
            ip("route", "add", "198.51.100.0/24", "dev", "lo")
            assert not await next_told()
            assert len(told) == 2
            """,
        )


@pytest.mark.netns
def test_a_storm_is_told_once() -> None:
    with direct() as net:
        run(
            net,
            """
            for number in range(100):
                ip("addr", "add", f"198.51.100.{number}/32", "dev", "lo")
            assert await next_told()
            assert len(told) == 2
            """,
        )


@pytest.mark.netns
def test_that_an_address_is_gone_is_told_before_the_storm_is_over() -> None:
    with direct() as net:
        run(
            net,
            """
            ip("addr", "add", "198.51.100.1/24", "dev", "lo")
            assert await next_told()
            addresses.LONGEST_STORM, addresses.QUIET = 60.0, 60.0
            ip("addr", "add", "198.51.100.2/32", "dev", "lo")
            ip("addr", "del", "198.51.100.1/24", "dev", "lo")
            assert await next_told()
            assert ONE not in host.addresses()
            """,
        )


@pytest.mark.netns
def test_a_storm_without_an_end_is_told_all_the_same() -> None:
    with direct() as net:
        run(
            net,
            """
            addresses.LONGEST_STORM, addresses.QUIET = 0.2, 10.0
            ip("addr", "add", "198.51.100.1/24", "dev", "lo")
            assert await next_told()
            """,
        )


@pytest.mark.netns
def test_lost_events_are_an_event() -> None:
    with direct() as net:
        run(
            net,
            """
            words = (f"route add 203.0.113.{n}/32 dev lo\\n" for n in range(250))
            batch = "".join(words) * 20
            subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True,
                           capture_output=True)
            ip("addr", "add", "198.51.100.1/24", "dev", "lo")
            while not await next_told():
                pass
            assert ONE in host.addresses()
            """,
        )
