"""Every actor crashes at every wait, during every exchange: its neighbours notice nothing.

Host 0 is the hub of two links. One of its actors crashes once, at its k-th wait, for all k there
are, while the first link comes up, rekeys its Child SA and its IKE SA, goes down and comes up
again. Then all is up again, and the second link has lost no packet.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from tests.simulation.host import Host
from tests.simulation.injection import CrashAtWait
from tests.simulation.nemesis import ACTORS, is_of
from tests.simulation.plan import Operation, Plan, address_of, plain_link
from tests.simulation.run import run_with
from tests.simulation.verdict import Record
from tests.simulation.world import World

# A wait more than this is none of the exchanges below.
_WAITS = 400
# Those that look after what stands; the nemesis leaves them alone.
_ATTENDANTS = (
    "addresses",
    "names",
    "traps",
    "reconciler",
    "credentials",
    "control",
    "log",
    "store",
)
# Hosts that may be killed have a store. None is, in the seconds that there are.
_FAULTS = {"kill": 1e12}
_SCRIPT = ("rekey", "rekey-ike", "down", "up")


def plan(seed: int) -> Plan:
    """Two links, and an operator of the first."""
    operations = tuple(
        Operation(4.0 * number + 1.0, kind, number % 2, 0, 0) for number, kind in enumerate(_SCRIPT)
    )
    # A group that is slow enough for the worker.
    links = (plain_link(1, "ecp384"), replace(plain_link(2), is_faulty=False))
    return Plan(
        seed, 3, links, _FAULTS, 22.0, operations, quiet=5.0, settling=15.0, probe_interval=0.5
    )


def crashed(actor: str, at: int) -> tuple[Record, CrashAtWait]:
    """One run in which the hub's actor crashes at that wait."""
    crash: list[CrashAtWait] = []

    def arm(world: World) -> None:
        hub = world.hosts[0]
        world.kernels.excuse(hub)
        crash.append(CrashAtWait(at, lambda task: is_meant(task, hub, actor)))
        trio.lowlevel.add_instrument(crash[0])
        crash[0].arm(hub.all_tasks(), trio.current_time() + world.plan.duration)

    record = run_with(plan(at), arm)
    return record, crash[0]


def is_meant(task: trio.lowlevel.Task, hub: Host, actor: str) -> bool:
    """Of the peers, those of the first link."""
    if not is_of(task, hub, actor):
        return False
    if actor != "peer":
        return True
    assert task.coro.cr_frame is not None
    peer = task.coro.cr_frame.f_locals["peer"]
    return bool(peer.remote is not None and peer.remote.address == address_of(1))


@pytest.mark.parametrize("actor", (*ACTORS, *_ATTENDANTS))
def test_an_actor_that_crashes_at_any_wait_costs_no_tunnel(actor: str) -> None:
    crashes = 0
    for at in range(1, _WAITS):
        record, crash = crashed(actor, at)
        assert record.broken is None, f"{actor} crashed at wait {at}: {record.broken}"
        if not crash.done:
            break
        crashes += 1
    assert crashes > 0
