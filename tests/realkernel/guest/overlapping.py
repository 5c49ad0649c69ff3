"""Tunnels whose selectors overlap, or are the same: which of them a packet takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import trio

from ikeactors.kernel.requests import Direction, Mark
from tests.fakes.sas import policy
from tests.lab.namespaces import direct
from tests.realkernel.guest.backend import checked
from tests.realkernel.guest.bench import Bench, ids, other_tunnel, turned
from tests.realkernel.guest.reporting import attempt
from tests.realkernel.guest.wire import ESP, Program, arrives, watching


async def gives_overlaps_to_the_narrower(bench: Bench) -> None:
    """Of two tunnels that overlap, whichever came first."""
    wide = bench.ends(udp=False)
    narrow = other_tunnel(wide)
    reqid = narrow.west[0].reqid
    into_narrow = policy(destination="10.2.0.1/32", reqid=reqid)
    into_wide = policy(destination="10.0.0.0/8", reqid=wide.west[0].reqid)
    for first, second in ((into_narrow, into_wide), (into_wide, into_narrow)):
        await bench.west.install((*wide.west, *narrow.west), (first, second))
        arrivals = [turned(one, Direction.IN) for one in (into_narrow, into_wide)]
        await bench.east.install((wide.east[1], narrow.east[1]), arrivals)
        assert arrives(bench.network, Program())
        used = await bench.west.usage((narrow.west[0].sa_id, wide.west[0].sa_id))
        assert [one.packets for one in used] == [1, 0]
        await bench.west.remove(ids((*wide.west, *narrow.west)), (first, second))
        await bench.east.remove(ids((wide.east[1], narrow.east[1])), arrivals)
        assert bench.left() == ""


async def tells_tunnels_apart_by_mark(bench: Bench) -> None:
    """The same subnets behind two tunnels: the packet's mark says which; `set_mark_in` marks it."""
    first = bench.ends(udp=False)
    second = other_tunnel(first)

    for number, ends in enumerate((first, second), 1):
        mark = Mark(number)
        west = replace(policy(reqid=ends.west[0].reqid), mark=mark)
        east = turned(replace(policy(), reqid=ends.west[0].reqid), Direction.IN)
        # At east both come in by the same policy, and marked by their SA.
        arriving = replace(ends.east[1], output_mark=Mark(number))
        await bench.west.install((replace(ends.west[0], mark=mark),), (west,))
        await bench.east.install((arriving,), (replace(east, mark=mark),))
    for number in (1, 2, 2):
        assert arrives(bench.network, Program(mark=number)), number
    names = (
        replace(first.west[0], mark=Mark(1)).sa_id,
        replace(second.west[0], mark=Mark(2)).sa_id,
    )
    assert [one.packets for one in await bench.west.usage(names)] == [1, 2]


async def goes_through_an_interface(bench: Bench) -> None:
    """An XFRM interface takes what is routed into it, and nothing else is protected."""
    west = bench.network.west
    ends = bench.ends(udp=False)
    outbound, inbound = replace(policy(), if_id=9), turned(policy(), Direction.IN)
    await bench.west.install((replace(ends.west[0], if_id=9),), (outbound,))
    await bench.east.install((ends.east[1],), (inbound,))
    west.run("ip", "link", "add", "ipsec9", "type", "xfrm", "dev", "lo", "if_id", "9")
    west.run("ip", "link", "set", "ipsec9", "up")
    with watching(bench.network) as wire:
        west.run("ip", "route", "replace", "10.2.0.0/24", "dev", "ipsec9", "src", "10.1.0.1")
        try:
            assert arrives(bench.network, Program())
        finally:
            west.run("ip", "link", "del", "ipsec9")
        assert [one.protocol for one in wire.seen()] == [ESP]


async def tells_tunnels_apart_by_interface(bench: Bench) -> None:
    """The same subnets behind two tunnels: the interface that a packet is routed to says which."""
    west = bench.network.west
    first = bench.ends(udp=False)
    tunnels = {9: first, 10: other_tunnel(first)}
    for if_id, ends in tunnels.items():
        leaving = replace(policy(reqid=ends.west[0].reqid), if_id=if_id)
        await bench.west.install((replace(ends.west[0], if_id=if_id),), (leaving,))
        await bench.east.install((ends.east[1],), ())
        name = f"ipsec{if_id}"
        west.run(*f"ip link add {name} type xfrm dev lo if_id {if_id}".split())
        west.run("ip", "link", "set", name, "up")
    await bench.east.install((), (replace(turned(policy(), Direction.IN), reqid=0),))
    names = [ends.west[0].sa_id for ends in tunnels.values()]
    try:
        for if_id, counts in ((9, [1, 0]), (10, [1, 1]), (10, [1, 2])):
            way = f"10.2.0.0/24 dev ipsec{if_id} src 10.1.0.1"
            west.run("ip", "route", "replace", *way.split())
            assert arrives(bench.network, Program()), if_id
            assert [one.packets for one in await bench.west.usage(names)] == counts
    finally:
        for if_id in tunnels:
            west.run("ip", "link", "del", f"ipsec{if_id}")


CHECKS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    "overlapping selectors": gives_overlaps_to_the_narrower,
    "the same subnets by mark": tells_tunnels_apart_by_mark,
    "an XFRM interface": goes_through_an_interface,
    "the same subnets by interface": tells_tunnels_apart_by_interface,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """All checks, one after the other, on one network."""
    with direct() as network:
        for name, check in CHECKS.items():
            attempt(name, partial(trio.run, checked, network, check))
