"""Children whose ranges come apart into the same XFRM policy: while one is there, nothing leaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import trio

from ikeactors.kernel.requests import Direction, PolicyRequest
from tests.fakes.sas import policy, selector
from tests.lab.namespaces import direct
from tests.realkernel.guest.backend import checked
from tests.realkernel.guest.bench import Bench, Ends, ids
from tests.realkernel.guest.reporting import attempt
from tests.realkernel.guest.wire import ESP, UDP, Program, arrives, watching

# The block 1024-1535 is one of those that 1000-2000 takes, and 1010 is in another of these.
_WIDE, _NARROW = (1000, 2000), (1024, 1535)
_SHARED_PORT, _WIDE_PORT = 1030, 1010


class Child(NamedTuple):
    """A child's SAs, and its policy as it is at west and at east."""

    ends: Ends
    west: PolicyRequest
    east: PolicyRequest


async def stays_with_the_other(bench: Bench, first_to_go: int) -> None:
    """Two children share a block of ports; one of them goes, and then the other."""
    both = (_child(bench, 0x100, 7, _WIDE), _child(bench, 0x200, 8, _NARROW))
    for child in both:
        await _install(bench, child)
    gone, stays = both[first_to_go], both[1 - first_to_go]
    with watching(bench.network) as wire:

        def passes_as(port: int) -> list[int]:
            assert arrives(bench.network, Program(port)), port
            return [one.protocol for one in wire.seen()]

        assert [passes_as(_SHARED_PORT), passes_as(_WIDE_PORT)] == [[ESP], [ESP]]
        await _remove(bench, gone)
        assert passes_as(_SHARED_PORT) == [ESP], "it left in the clear"
        assert passes_as(_WIDE_PORT) == [ESP if first_to_go else UDP]
        await _rekey(bench, stays)
        assert passes_as(_SHARED_PORT) == [ESP], "it left in the clear"
        await _remove(bench, stays)
        assert passes_as(_SHARED_PORT) == [UDP]
    assert bench.left() == ""


def _child(bench: Bench, spi: int, reqid: int, ports: tuple[int, int]) -> Child:
    ends = bench.ends(udp=False)
    (out, into), (back, arriving) = (
        [replace(one, spi=one.spi + spi, reqid=reqid) for one in pair]
        for pair in (ends.west, ends.east)
    )
    outbound = replace(policy(reqid=reqid), destination=selector("10.2.0.0/24", UDP, ports))
    inbound = replace(outbound, direction=Direction.IN)
    return Child(Ends((out, into), (back, arriving)), outbound, inbound)


async def _install(bench: Bench, child: Child) -> None:
    await bench.west.install(child.ends.west, (child.west,))
    await bench.east.install(child.ends.east, (child.east,))


async def _rekey(bench: Bench, child: Child) -> None:
    """The same policies once more, as a successor's Child SA has them."""
    await bench.west.install((), (child.west,))
    await bench.east.install((), (child.east,))


async def _remove(bench: Bench, child: Child) -> None:
    await bench.west.remove(ids(child.ends.west), (child.west,))
    await bench.east.remove(ids(child.ends.east), (child.east,))


CHECKS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    f"an XFRM policy of two children stays when the {name} goes": partial(
        stays_with_the_other, first_to_go=place
    )
    for place, name in enumerate(("wider", "narrower"))
}
NAMES = tuple(CHECKS)


def run() -> None:
    """All checks, one after the other, on one network."""
    with direct() as network:
        for name, check in CHECKS.items():
            attempt(name, partial(trio.run, checked, network, check))
