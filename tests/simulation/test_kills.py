"""SIGKILL at every step of every exchange, of either end and of both.

A step is what a process does outside of itself: a datagram it reads or sends, a write to its store,
a request to its kernel; it dies before or after it. After a second there is another process. Then
both ends agree, nothing is left over, and no packet was lost that the kernels' SAs could carry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
import trio

from tests.simulation.host import Host
from tests.simulation.plan import Operation, Plan, plain_link
from tests.simulation.run import run_with
from tests.simulation.verdict import Record
from tests.simulation.world import World

# Less than a peer waits for an answer.
_DOWN_SECONDS = 1.0
# More steps than any script has.
_STEPS = 1000
# Of so many kills the suite tries one; they are coprime to the steps a message takes.
_STRIDE = 7
# Hosts that may be killed have a store; none is by chance in the seconds that there are.
_FAULTS = {"kill": 1e12}
# What operators ask, how many seconds apart; where packets go through all of it.
_SCRIPTS: dict[str, tuple[tuple[str, int], ...]] = {
    "rekey child": (("rekey", 0),),
    "rekey IKE": (("rekey-ike", 1),),
    "crossing rekeys of the child": (("rekey", 0), ("rekey", 1)),
    "crossing rekeys of the IKE SA": (("rekey-ike", 0), ("rekey-ike", 1)),
    "child and IKE SA at once": (("rekey", 0), ("rekey-ike", 1)),
    "reauthentication": (("reauth", 1),),
    "liveness": (),
}
# Where there is nothing to carry packets meanwhile.
_INTERRUPTED: dict[str, tuple[tuple[str, int], ...]] = {
    "down and up": (("down", 0), ("up", 1)),
    "down from the other end": (("down", 1),),
    "child down": (("down-child", 0), ("up", 1)),
}
_APART = {"down and up": 1.0, "child down": 1.0}
Strike = Callable[[World], None]
_VICTIMS = ((0,), (1,), (0, 1))


def plan(script: str) -> Plan:
    """One link, and what operators ask of its ends."""
    asked = (_SCRIPTS | _INTERRUPTED)[script]
    apart = _APART.get(script, 0.0)
    operations = tuple(
        Operation(0.5 + apart * number, kind, host, 0, 0)
        for number, (kind, host) in enumerate(asked)
    )
    link = plain_link(1)
    if script == "liveness":
        one, other = link.ends
        link = replace(link, ends=(replace(one, dpd_delay=1.0), replace(other, dpd_delay=1.5)))
    # Packets keep a peer from asking whether we live.
    interval = 4.0 if script == "liveness" else 0.2
    return Plan(
        1, 2, (link,), _FAULTS, 9.0, operations, quiet=2.0, settling=2.0, probe_interval=interval
    )


@dataclass
class AtStep:
    """Counts the steps of both ends, and strikes at the k-th."""

    world: World
    at: int
    strike: Strike
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_at = trio.current_time()
        for host in self.world.hosts:
            host.stepping = self.step

    def step(self, host: Host, what: str) -> None:
        if trio.current_time() > self.began_at + self.world.plan.duration:
            return
        self.steps.append(f"host{host.number} {what}")
        if len(self.steps) == self.at:
            self.world.record.show(f"step {self.at}: {self.steps[-1]}")
            self.strike(self.world)

    @property
    def done(self) -> bool:
        return len(self.steps) >= self.at


def kill(world: World, victims: tuple[int, ...]) -> None:
    """These die, and come back soon."""
    for number in victims:
        victim = world.hosts[number]
        world.reports.killed(victim)
        victim.kill(_DOWN_SECONDS)


def struck(script: str, at: int, strike: Strike) -> tuple[Record, AtStep]:
    """One run with a strike at that step, if it comes to it before the healing."""
    armed: list[AtStep] = []
    record = run_with(plan(script), lambda world: armed.append(AtStep(world, at, strike)))
    return record, armed[0]


def killed(script: str, at: int, victims: tuple[int, ...]) -> tuple[Record, AtStep]:
    """One run in which the victims die."""
    return struck(script, at, lambda world: kill(world, victims))


def steps_in(script: str) -> int:
    """How many steps both ends take until all is quiet again, when nobody dies."""
    return len(killed(script, _STEPS, ())[1].steps)


def kills_of(script: str, stride: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """When who is killed; each stride of victims begins elsewhere."""
    steps = steps_in(script)
    for offset, victims in enumerate(_VICTIMS):
        for at in range(1 + offset * stride // len(_VICTIMS), steps + 1, stride):
            yield at, victims


def lost_packets(strike: AtStep) -> list[str]:
    """Those that did not come through since all was up."""
    return [
        f"{one.way} at {one.sent_at:.2f} came to {one.fate}"
        for one in strike.world.probes.sent
        if one.fate != "arrived" and one.sent_at >= strike.began_at
    ]


def hold(script: str, stride: int) -> None:
    """All that holds after a kill, for one of so many steps."""
    tried = 0
    for at, victims in kills_of(script, stride):
        record, one = killed(script, at, victims)
        where = f"{script}: {victims} killed at step {at} ({one.steps[at - 1 : at]})"
        assert record.broken is None, f"{where}: {record.broken}"
        if script in _SCRIPTS:
            assert not lost_packets(one), f"{where}: {lost_packets(one)}"
        tried += one.done
    assert tried > len(_VICTIMS)


@pytest.mark.parametrize("script", [*_SCRIPTS, *_INTERRUPTED])
def test_a_kill_at_any_step_of_an_exchange_leaves_both_ends_agreed(script: str) -> None:
    hold(script, _STRIDE)


@pytest.mark.parametrize("script", [*_SCRIPTS, *_INTERRUPTED])
def test_a_kill_at_each_step_of_an_exchange_leaves_both_ends_agreed(script: str) -> None:
    hold(script, 1)
