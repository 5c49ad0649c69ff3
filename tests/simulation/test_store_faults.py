"""Stores that fail at any step of an exchange: nothing that is established is lost by that alone.

With a kill on top the successor has less to go on with than there was, or nothing: then what it
finds in the kernel goes, its peer is told or finds out, and both ends agree in the end.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from tests.simulation.store import CORRUPT, FULL, READ_ONLY, TORN
from tests.simulation.test_kills import Strike, kill, lost_packets, steps_in, struck
from tests.simulation.world import World

# Of so many steps one is tried; both are prime to those that a message takes.
_STRIDE, _LONG_STRIDE = 5, 11
_UNTIL_DEATH = 0.1
_SCRIPTS = ("rekey child", "rekey IKE", "child and IKE SA at once", "reauthentication")
_INTERRUPTED = ("rekey child", "rekey IKE", "down and up", "reauthentication")


def fail(kind: str) -> Strike:
    """Both disks refuse from now on, until the healing."""

    def strike(world: World) -> None:
        for host in world.hosts:
            assert host.store is not None
            host.store.fault = kind

    return strike


def fail_and_die(kind: str) -> Strike:
    """One end's disk refuses, and its process dies after a while: what is kept is from before."""

    def strike(world: World) -> None:
        host = world.hosts[0]
        assert host.store is not None
        host.store.fault = kind
        world.kernels.excuse(host)
        trio.lowlevel.spawn_system_task(die_later, world)

    return strike


async def die_later(world: World) -> None:
    """Long enough for some messages more."""
    await trio.sleep(_UNTIL_DEATH)
    kill(world, (0,))


def die_and_be_damaged(kind: str) -> Strike:
    """One end dies, and its successor finds the store damaged."""

    def strike(world: World) -> None:
        host = world.hosts[1]
        assert host.store is not None
        host.store.damage = kind
        kill(world, (1,))
        world.kernels.excuse(host)

    return strike


def hold(script: str, strike: Strike, stride: int, told: str, loses: Callable[[str], bool]) -> None:
    """What must hold wherever it strikes."""
    for at in range(1, steps_in(script) + 1, stride):
        record, one = struck(script, at, strike)
        where = f"{script}: struck at step {at} ({one.steps[at - 1 : at]})"
        assert record.broken is None, f"{where}: {record.broken}"
        lost = [] if loses(script) else lost_packets(one)
        assert not lost, f"{where}: {lost}"
        assert not told or record.counts.get(told), f"{where}: {told} is not said"


@pytest.mark.parametrize("script", _SCRIPTS)
@pytest.mark.parametrize("kind", [FULL, READ_ONLY])
def test_a_store_that_fails_costs_no_packet(kind: str, script: str) -> None:
    hold(script, fail(kind), _STRIDE, "", lambda _: False)


@pytest.mark.parametrize("script", _INTERRUPTED)
@pytest.mark.parametrize("kind", [FULL, READ_ONLY])
def test_a_kill_while_the_store_fails_leaves_both_ends_agreed(kind: str, script: str) -> None:
    hold(script, fail_and_die(kind), _LONG_STRIDE, "store-failed", lambda _: True)


@pytest.mark.parametrize("script", _INTERRUPTED)
@pytest.mark.parametrize("kind", [TORN, CORRUPT])
def test_a_store_that_is_damaged_leaves_both_ends_agreed(kind: str, script: str) -> None:
    hold(script, die_and_be_damaged(kind), _LONG_STRIDE, "", lambda _: True)
