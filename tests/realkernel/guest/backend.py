"""The kernel back end against a kernel that has ESP: what the fakes can only promise."""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

import trio

from ikeactors.actors.probing import probe
from ikeactors.crypto.suite import ChildSuite
from ikeactors.kernel.requests import (
    Direction,
    Encapsulation,
    KernelRefusal,
    Lifetime,
    Mark,
    Mode,
    PolicyRequest,
    SaRequest,
)
from ikeactors.kernel.xfrm_events import LEAP
from ikeactors.protocol.events import SaExpired, SaMappingChanged
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.sas import GCM, SUITES, policy, sa, selector
from tests.lab.namespaces import Network, direct
from tests.lab.traffic import Pings
from tests.realkernel.guest.bench import Bench, east_policies, events, ids, west_policies
from tests.realkernel.guest.reporting import attempt

# The guest is about ten times slower than the host, which has other work too.
_TUNNELS = int(os.environ.get("IKEACTORS_TUNNELS", "1000"))
_SECONDS_A_TUNNEL = 0.06
# An even number: then they are where they were.
_MOVES = 20


async def carries(suite: ChildSuite, version: int, bench: Bench) -> None:
    """Pings of both families pass, over UDP and IPv4 or bare and IPv6."""
    ends = bench.ends(sa(suite=suite), version, udp=version == 4)
    await bench.connect(ends)
    try:
        assert [await bench.answered(inner) for inner in (4, 6)] == [1, 1]
        assert [one.packets for one in await bench.west.usage(ids(ends.west))] == [2, 2]
    finally:
        await bench.disconnect(ends)


async def transport_mode(bench: Bench) -> None:
    """Transport mode protects what the two hosts themselves say."""
    west, east = bench.network.west.outer[4], bench.network.east.outer[4]
    sides = []
    for backend, here, there in ((bench.west, west, east), (bench.east, east, west)):
        ends = bench.ends(replace(sa(), mode=Mode.TRANSPORT), udp=False)
        pair = ends.west if backend is bench.west else ends.east
        outbound = replace(policy(f"{here}/32", f"{there}/32"), mode=Mode.TRANSPORT)
        inbound = replace(outbound, direction=Direction.IN, source=outbound.destination,
                          destination=outbound.source)  # fmt: skip
        sides.append((backend, pair, (outbound, inbound)))
    for backend, pair, policies in sides:
        await backend.install(pair, policies)
    bench.network.west.run("ping", "-n", "-c", "1", "-W", "2", east)
    used = await bench.west.usage(ids(sides[0][1]))
    for backend, pair, policies in sides:
        await backend.remove(ids(pair), policies)
    assert [one.packets for one in used] == [1, 1]
    assert bench.left() == ""


async def expires_by_packets(bench: Bench) -> None:
    """The soft limit, then the hard one."""
    ends = bench.ends(replace(sa(), lifetime=Lifetime(soft_packets=1, hard_packets=2)))
    await bench.connect(ends)
    await bench.answered(4, count=4)
    sa_id = ends.west[0].sa_id
    told = [one for one in await events(bench.west, 4) if one.sa_id == sa_id]
    await bench.disconnect(ends)
    assert told[:2] == [SaExpired(sa_id, hard=False), SaExpired(sa_id, hard=True)]


async def expires_by_time(bench: Bench) -> None:
    """Also an SA with a mark, which is part of its name."""
    lifetime = Lifetime(soft_seconds=1, hard_seconds=3)
    request = replace(sa(), lifetime=lifetime, mark=Mark(5, 0xFF))
    await bench.west.install((request,), ())
    told = await events(bench.west, 2)
    assert told == [SaExpired(request.sa_id, hard=False), SaExpired(request.sa_id, hard=True)]
    assert bench.left() == ""


async def moves_to_another_address(bench: Bench) -> None:
    """Counters leap, so that no sequence number is used twice with a key."""
    elsewhere = "10.77.0.11"
    device = bench.network.west.run("ip", "-br", "link", "show", "type", "veth").split("@")[0]
    bench.network.west.run("ip", "addr", "add", f"{elsewhere}/24", "dev", device)
    udp = bench.listen(bench.network.west, address=elsewhere)
    for suite in (GCM, replace(GCM, esn=True)):
        ends, moved = bench.ends(sa(suite=suite)), bench.ends(sa(suite=suite), west=elsewhere)
        await bench.connect(ends)
        assert await bench.answered(4) == 1
        before, after = west_policies(ends), west_policies(moved)
        await bench.west.move(ids(ends.west), moved.west, before, after)
        before, after = east_policies(ends), east_policies(moved)
        await bench.east.move(ids(ends.east), moved.east, before, after)
        assert await bench.answered(4) == 1
        assert [one.packets for one in await bench.west.usage(ids(moved.west))] == [2, 2]
        assert _sequence_sent(bench) > LEAP
        await bench.disconnect(moved)
    udp.close()


async def moves_under_traffic(bench: Bench) -> None:
    """What sends takes another source address again and again; to the other end that is nothing."""
    elsewhere = "10.77.0.12"
    device = bench.network.east.run("ip", "-br", "link", "show", "type", "veth").split("@")[0]
    bench.network.east.run("ip", "addr", "add", f"{elsewhere}/24", "dev", device)
    ends = bench.ends(udp=False)
    await bench.connect(ends)
    places = [(one, east_policies(ends)) for one in ends.east if one.direction is Direction.OUT]
    for request, policies in tuple(places):
        moved = replace(request, source=ip_address(elsewhere))
        away = tuple(
            replace(one, tunnel_source=moved.source) if one.direction is Direction.OUT else one
            for one in policies
        )
        places.append((moved, away))
    with Pings.start(bench.network.west, bench.network.east, count=600, interval=0.005) as pings:
        for number in range(_MOVES):
            await trio.sleep(0.1)
            (before, old), (after, new) = places[number % 2], places[(number + 1) % 2]
            await bench.east.move((before.sa_id,), (after,), old, new)
        lost = await trio.to_thread.run_sync(pings.lost)
    sys.stdout.write(f"{_MOVES} moves of what sends: {lost} pings of 600 lost\n")
    await bench.disconnect(ends)
    assert lost < _MOVES, lost


async def learns_and_updates_ports(bench: Bench) -> None:
    """A NAT gives the peer another port: the kernel tells, and takes it in place."""
    ends = bench.ends()
    await bench.connect(ends)
    assert await bench.answered(4) == 1
    other = bench.listen(bench.network.east, port=4999)
    back = replace(ends.east[0], encapsulation=Encapsulation(4999, 4500))
    await bench.east.move(ids(ends.east[:1]), (back,), (), ())
    await bench.answered(4)
    told = await events(bench.west, 1)
    moved = (
        replace(ends.west[0], encapsulation=Encapsulation(4500, 4999)),
        replace(ends.west[1], encapsulation=Encapsulation(4999, 4500)),
    )
    await bench.west.move(ids(ends.west), moved, west_policies(ends), west_policies(ends))
    shown = bench.states()
    assert await bench.answered(4) == 1
    await bench.disconnect(ends)
    other.close()
    assert [type(one) for one in told] == [SaMappingChanged]
    assert told[0].sa_id == ends.west[1].sa_id
    assert "sport 4500 dport 4999" in shown
    assert "sport 4999 dport 4500" in shown


async def leaves_nothing_of_what_it_refuses(bench: Bench) -> None:
    """All or nothing, in a real kernel too."""
    request = bench.ends().west[0]
    try:
        await bench.west.install((request, request), west_policies(bench.ends()))
    except KernelRefusal as refusal:
        assert refusal.errno == errno.EEXIST, refusal
    else:
        raise AssertionError("it was taken")
    assert bench.left() == ""


async def takes_every_option(bench: Bench) -> None:
    """Windows, an XFRM interface, transport selectors, marks."""
    scope = (selector("10.77.0.1/32", 6), selector("10.77.0.2/32", 6, (80, 80)))
    inbound = sa(direction=Direction.IN)
    esn = replace(inbound, suite=replace(GCM, esn=True))
    for request, words in (
        (replace(inbound, replay_window=1024), "replay_window 1024"),
        (replace(inbound, replay_window=0), "replay-window 0"),
        (replace(esn, replay_window=4096), "replay_window 4096"),
        (replace(sa(), if_id=9), "if_id 0x9"),
        (replace(sa(), mark=Mark(5, 0xFF)), "mark 0x5/0xff"),
        (replace(sa(), output_mark=Mark(0x1CE)), "output-mark 0x1ce"),
        (replace(sa(), mode=Mode.TRANSPORT, selectors=scope), "dport 80"),
    ):
        await bench.west.install((request,), ())
        shown = bench.states()
        await bench.west.remove((request.sa_id,), ())
        assert words in shown, f"{words} is not in {shown}"
    assert bench.left() == ""


async def bears_a_thousand_tunnels(bench: Bench) -> None:
    """Installed, looked up and removed, within what emulation leaves of a second's work."""
    tunnels = [_numbered(number) for number in range(_TUNNELS)]
    names = [one.sa_id for sas, _ in tunnels for one in sas]
    times = [time.process_time()]
    for sas, policies in tunnels:
        await bench.west.install(sas, policies)
    times.append(time.process_time())
    assert len(await bench.west.usage(names)) == len(names)
    times.append(time.process_time())
    await bench.west.remove(names, [one for _, policies in tunnels for one in policies])
    times.append(time.process_time())
    assert bench.left() == ""
    spent = " s, ".join(f"{verb} {end - begin:.1f}" for verb, begin, end in zip(
        ("install", "look up", "remove"), times, times[1:], strict=False))  # fmt: skip
    sys.stdout.write(f"{_TUNNELS} tunnels, CPU with the kernel's share: {spent} s\n")
    assert times[-1] - times[0] < _TUNNELS * _SECONDS_A_TUNNEL, spent


def _numbered(number: int) -> tuple[tuple[SaRequest, ...], tuple[PolicyRequest, ...]]:
    """One of many tunnels, each to another peer with another network."""
    far = ip_address("10.128.0.0") + number
    out = replace(sa(0x10000 + number, reqid=number), destination=far)
    back = replace(sa(0x20000 + number, Direction.IN, reqid=number), source=far)
    back = replace(back, destination=out.source)
    network = f"10.64.{number >> 6}.{(number & 63) << 2}/30"
    leaving = replace(policy(destination=network, reqid=number), tunnel_destination=far)
    coming = replace(policy(network, "10.1.0.0/24", Direction.IN, number), tunnel_source=far)
    return (back, out), (leaving, coming, replace(coming, direction=Direction.FWD))


async def is_what_auto_takes(bench: Bench) -> None:
    """The probe's SA is taken, and gone again."""

    async def userspace() -> SimulatedKernel:
        return SimulatedKernel()

    choice = await probe("auto", os.urandom, userspace, lambda: bench.west)
    assert choice.backend is bench.west, choice.reason
    assert bench.left() == ""


def _sequence_sent(bench: Bench) -> int:
    """The highest of the sequence numbers that west's SAs have used."""
    return max(int(found, 16) for found in re.findall(r"oseq (0x[0-9a-f]+)", bench.states()))


async def checked(network: Network, check: Callable[[Bench], Awaitable[None]]) -> None:
    """Run a check; what one that fails has left is no other's concern."""
    bench = Bench(network)
    try:
        await check(bench)
    finally:
        for gateway in (network.west, network.east):
            gateway.run("ip", "xfrm", "state", "flush")
            gateway.run("ip", "xfrm", "policy", "flush")
        await bench.aclose()


CHECKS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    **{
        f"the kernel carries {suite}": partial(carries, suite, 6 if suite.esn else 4)
        for suite in SUITES
    },
    "transport mode": transport_mode,
    "an SA expires by packets": expires_by_packets,
    "an SA with a mark expires by time": expires_by_time,
    "SAs move to another address": moves_to_another_address,
    "SAs move under traffic": moves_under_traffic,
    "ports are learnt and updated in place": learns_and_updates_ports,
    "a refusal leaves nothing": leaves_nothing_of_what_it_refuses,
    "every option is taken": takes_every_option,
    "a thousand tunnels": bears_a_thousand_tunnels,
    "auto takes the kernel": is_what_auto_takes,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """All checks, one after the other, on one network."""
    with direct() as network:
        for name, check in CHECKS.items():
            attempt(name, partial(trio.run, checked, network, check))
