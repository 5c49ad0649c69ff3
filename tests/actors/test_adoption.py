"""What a former process has installed is taken over, or what is left of it goes."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from ikeactors.actors.kernel import ForgetOwner
from ikeactors.kernel.requests import Lifetime, SaRequest, SaUsage
from ikeactors.protocol.actions import AdoptChildSa, RemoveChildSa
from ikeactors.protocol.events import ChildSaInstalled, KernelRefused, SaExpired
from tests.actors.test_kernel import IN, OUT, POLICIES, Bench

ADOPT = AdoptChildSa(7, (IN, OUT), POLICIES)


async def test_what_is_there_is_adopted_with_its_policies() -> None:
    bench = Bench()
    await bench.kernel.install((IN, OUT), ())
    async with bench.running():
        await bench.ask(ADOPT)
    assert bench.inbox.events == [ChildSaInstalled(7)]
    assert set(bench.kernel.sas) == {IN.sa_id, OUT.sa_id}
    assert len(bench.kernel.policies) == len(POLICIES)
    assert bench.state.installed.is_held_by(1, IN.sa_id)


async def test_where_a_part_is_missing_the_rest_goes() -> None:
    bench = Bench()
    await bench.kernel.install((IN,), ())
    async with bench.running():
        await bench.ask(ADOPT)
    (refused,) = bench.inbox.events
    assert isinstance(refused, KernelRefused)
    assert (refused.ticket, refused.errno) == (7, errno.ESRCH)
    assert not bench.kernel.sas
    assert not bench.kernel.policies
    assert bench.state.installed.sa_ids() == []


@pytest.mark.parametrize("before", [(IN,), (IN, OUT)])
async def test_what_was_due_is_installed_unless_it_is_there(before: tuple[SaRequest, ...]) -> None:
    bench = Bench()
    await bench.kernel.install(before, ())
    async with bench.running():
        await bench.ask(AdoptChildSa(7, (IN,), POLICIES, due=(OUT,)))
    assert bench.inbox.events == [ChildSaInstalled(7)]
    assert set(bench.kernel.sas) == {IN.sa_id, OUT.sa_id}
    assert bench.state.installed.is_held_by(1, OUT.sa_id)
    # What has counted packets is not made again.
    assert bench.kernel.calls.count("install 1 2") == (len(before) == 1)


async def test_what_was_due_goes_where_the_rest_is_missing() -> None:
    bench = Bench()
    await bench.kernel.install((OUT,), ())
    async with bench.running():
        await bench.ask(AdoptChildSa(7, (IN,), POLICIES, due=(OUT,)))
    (refused,) = bench.inbox.events
    assert isinstance(refused, KernelRefused)
    assert not bench.kernel.sas


@pytest.mark.parametrize("octets, packets", [(1000, 0), (0, 10)])
async def test_what_was_to_be_rekeyed_meanwhile_is_told(octets: int, packets: int) -> None:
    worn = replace(OUT, lifetime=Lifetime(soft_bytes=1000, soft_packets=10))
    bench = Bench()
    await bench.kernel.install((IN, worn), ())
    bench.kernel.used[OUT.sa_id] = SaUsage(OUT.sa_id, octets, packets, 0.0)
    async with bench.running():
        await bench.ask(AdoptChildSa(7, (IN, worn), POLICIES))
    assert bench.inbox.events == [ChildSaInstalled(7), SaExpired(OUT.sa_id, hard=False)]


async def test_what_a_crashed_predecessor_has_is_taken_over_with_its_policies() -> None:
    bench = Bench()
    await bench.kernel.install((IN, OUT), ())
    async with bench.running():
        await bench.ask(ADOPT)
        await bench.ask(ADOPT, owner=2)
        await bench.command(ForgetOwner(1))
        assert set(bench.kernel.sas) == {IN.sa_id, OUT.sa_id}
        assert len(bench.kernel.policies) == len(POLICIES)
        await bench.ask(RemoveChildSa((IN.sa_id, OUT.sa_id), POLICIES), owner=2)
    assert not bench.kernel.sas
    assert not bench.kernel.policies
