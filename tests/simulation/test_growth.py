"""E5: what goes on for ever needs no more room with time."""

from __future__ import annotations

import gc
import types
from collections import Counter
from collections.abc import Iterable

import trio

from tests.simulation.hearing import Ledger
from tests.simulation.host import Host
from tests.simulation.kernel import HostKernel
from tests.simulation.network import Network
from tests.simulation.plan import Operation, Plan, plain_link
from tests.simulation.run import run_with
from tests.simulation.world import World

# Rekeyings of the Child SA, every fifth of the IKE SA, by either end in turn: two rounds of them,
# and after each as long as any retired SA is remembered.
_CYCLES = 200
_INTERVAL = 0.5
_ROUND = _CYCLES * _INTERVAL + 250.0
# Objects of what comes and goes with each message: an open window, a timer or two.
_SLACK = 20

# A simulation remembers what has happened.
_OUTSIDE = (
    *(types.ModuleType, types.FunctionType, types.MethodType, type, trio.lowlevel.Task),
    *(Host, HostKernel, Ledger, Network),
)


def plan() -> Plan:
    operations = tuple(
        Operation(
            begin * _ROUND + _INTERVAL * number,
            "rekey" if number % 5 else "rekey-ike",
            *(number % 2, 0, 0),
        )
        for begin in (0, 1)
        for number in range(_CYCLES)
    )
    return Plan(
        1, 2, (plain_link(1),), {}, 2 * _ROUND, operations, quiet=1.0, settling=1.0,
        probe_interval=10.0,
    )  # fmt: skip


def reachable(roots: Iterable[object]) -> Counter[str]:
    """How many objects of each type hang on these."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _OUTSIDE):
            continue
        seen[id(one)] = one
        waiting += gc.get_referents(one)
    return Counter(type(one).__name__ for one in seen.values())


def of_daemon(host: Host) -> Counter[str]:
    """What its associations and tables hold."""
    associations = [peer.association for peer in host.registry.census]
    return reachable((*associations, host.kernel_state.installed, host.registry.claims))


def test_hundreds_of_rekeyings_leave_nothing_behind() -> None:
    samples: list[list[Counter[str]]] = []

    def watch(world: World) -> None:
        async def sample() -> None:
            for _ in range(2):
                await trio.sleep(_ROUND - 1.0)
                samples.append([of_daemon(host) for host in world.hosts])

        trio.lowlevel.spawn_system_task(sample)

    record = run_with(plan(), watch)
    assert record.broken is None, record.broken
    assert record.counts["child-sa-rekeyed"] > _CYCLES
    assert record.counts["ike-sa-rekeyed"] > _CYCLES / 4
    earlier, later = samples
    for before, after in zip(earlier, later, strict=True):
        grown = {name: after[name] - before[name] for name in after}
        assert max(grown.values()) <= _SLACK, grown
        assert after["Association"] == after["ChildSa"] == 1
