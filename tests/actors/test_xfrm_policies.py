"""XFRM policies in the real kernel, in a namespace, read by iproute2."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeVar

import pytest
from pyroute2 import netns

from ikeactors.actors.probing import open_xfrm, probe
from ikeactors.actors.xfrm import XfrmBackend
from ikeactors.kernel.requests import Direction, KernelRefusal, Mark, PolicyAction
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.sas import CBC, SUITES, policy, sa, selector
from tests.lab.namespaces import Network, direct

T = TypeVar("T")
pytestmark = pytest.mark.netns


def inside(net: Network, job: Callable[[], T]) -> T:
    """Do a job in a thread of its own that has entered west's namespace."""

    def entered() -> T:
        netns.setns(net.west.namespace)
        return job()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(entered).result()


async def test_policies_are_what_iproute2_reads_and_go_again() -> None:
    with direct() as net:
        backend = inside(net, open_xfrm)
        policies = (
            policy(),
            policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN),
            policy("fd02::/64", "fd01::/64", Direction.FWD),
        )
        for _ in range(2):
            await backend.install((), policies)
        shown = net.west.run("ip", "xfrm", "policy")
        await backend.remove((), policies)
        left = net.west.run("ip", "xfrm", "policy")
        await backend.aclose()

    for line in (
        "src 10.1.0.0/24 dst 10.2.0.0/24",
        "dir out priority 475137",
        "tmpl src 10.77.0.1 dst 10.77.0.2",
        "proto esp reqid 7 mode tunnel",
        "dir in priority 475137",
        "src fd02::/64 dst fd01::/64",
        "dir fwd priority 393217",
    ):
        assert line in shown
    assert shown.count("dir ") == 3
    assert left == ""


@pytest.mark.parametrize(
    ("request_", "lines"),
    [
        (
            replace(
                policy(),
                source=selector("10.1.0.0/24", 6, (80, 80)),
                mark=Mark(5, 0xFF),
                if_id=7,
                priority=99,
            ),
            ["proto tcp sport 80", "mark 0x5/0xff", "if_id 0x7", "priority 99"],
        ),
        (replace(policy(), action=PolicyAction.DROP), ["action block"]),
        (
            replace(
                policy(), source=TrafficSelector.of_icmp(selector("0.0.0.0/0").networks()[0], 8)
            ),
            ["proto icmp type 8"],
        ),
        (
            replace(policy(), source=replace(selector("10.1.0.1/32"), end=ip_address("10.1.0.2"))),
            ["src 10.1.0.1/32", "src 10.1.0.2/32"],
        ),
        (replace(policy(), destination=selector("10.2.0.0/24", 17, (1024, 65535))), ["proto udp"]),
    ],
    ids=["scope", "block", "icmp", "range", "ports"],
)
async def test_each_kind_of_policy_is_taken_and_goes_again(request_, lines) -> None:
    with direct() as net:
        backend = inside(net, open_xfrm)
        await backend.install((), (request_,))
        shown = net.west.run("ip", "xfrm", "policy")
        await backend.remove((), (request_,))
        left = net.west.run("ip", "xfrm", "policy")
        await backend.aclose()
    assert [line for line in lines if line not in shown] == []
    assert left == ""


async def test_policies_of_other_programs_stay() -> None:
    with direct() as net:
        net.west.run(
            "ip", "xfrm", "policy", "add", "src", "10.8.0.0/24", "dst", "10.9.0.0/24", "dir", "out"
        )
        backend = inside(net, open_xfrm)
        await backend.install((), (policy(),))
        await backend.remove((), (policy(),))
        left = net.west.run("ip", "xfrm", "policy")
        await backend.aclose()
    assert "src 10.8.0.0/24 dst 10.9.0.0/24" in left
    assert left.count("dir ") == 1


async def test_a_predecessors_policies_are_taken_over_and_removed() -> None:
    with direct() as net:
        predecessor = inside(net, open_xfrm)
        await predecessor.install((), (policy(),))
        await predecessor.aclose()
        backend = inside(net, open_xfrm)
        await backend.install((), (policy(reqid=8),))
        shown = net.west.run("ip", "xfrm", "policy")
        await backend.remove((), (policy(reqid=8),))
        left = net.west.run("ip", "xfrm", "policy")
        await backend.aclose()
    assert "reqid 8" in shown
    assert (shown.count("dir "), left) == (1, "")


@pytest.mark.parametrize("suite", SUITES, ids=str)
async def test_the_kernel_takes_an_sa_or_names_what_it_lacks(suite) -> None:
    """A malformed message would be EINVAL, whatever the kernel has."""
    with direct() as net:
        backend = inside(net, open_xfrm)
        try:
            await backend.install((sa(suite=suite), sa(0x2000, Direction.IN, suite)), (policy(),))
        except KernelRefusal as refusal:
            assert "CONFIG_" in str(refusal)
            assert net.west.run("ip", "xfrm", "policy") == ""
        else:
            assert len(await backend.usage((sa().sa_id,))) == 1
        await backend.aclose()


async def test_auto_takes_what_the_kernel_has() -> None:
    with direct() as net:
        userspace = SimulatedKernel()

        async def open_userspace() -> SimulatedKernel:
            return userspace

        backend = inside(net, open_xfrm)
        choice = await probe("auto", os.urandom, open_userspace, lambda: backend)
        left = net.west.run("ip", "xfrm", "state")
    if isinstance(choice.backend, XfrmBackend):
        assert choice.reason.startswith("xfrm because")
        await choice.backend.aclose()
    else:
        assert choice.reason.startswith("userspace because the kernel refused")
    assert left == ""


async def test_an_sa_of_cbc_is_well_formed_for_any_kernel() -> None:
    with direct() as net:
        backend = inside(net, open_xfrm)
        try:
            backend.try_sa(sa(suite=CBC))
        except KernelRefusal as refusal:
            assert "CONFIG_INET_ESP" in str(refusal)
        await backend.aclose()
