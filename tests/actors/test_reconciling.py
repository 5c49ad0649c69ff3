"""The reconciler beside a kernel actor: when it looks, what it takes for drift, what it leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from ikeactors.actors.backends import Disturbed
from ikeactors.actors.kernel import KernelRequest, KernelState, open_commands, run_kernel
from ikeactors.actors.reconciling import Reconciler, Sources
from ikeactors.actors.traps import FIRST_REQID
from ikeactors.kernel.inventory import Inventory
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import Direction, KernelRefusal
from ikeactors.protocol.actions import InstallChildSa, Level, Report
from ikeactors.protocol.events import SaExpired
from ikeactors.protocol.snapshot import ChildSnapshot
from tests.admin.daemon import child
from tests.fakes.kernel import Inbox, SimulatedKernel
from tests.fakes.sas import policy, sa

OUT, IN, ORPHAN = sa(0x1000), sa(0x2000, Direction.IN), sa(0x3000)
POLICIES = (policy(), policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN))
STRAY = replace(policy("10.8.0.0/24"), reqid=99)
INTERVAL = 300.0


class Kernel(SimulatedKernel):
    """One that may refuse to say what it holds, and counts who asks."""

    is_silent = False
    looks = 0

    async def inventory(self) -> Inventory:
        self.looks += 1
        if self.is_silent:
            raise KernelRefusal(1, "it says nothing")
        return await super().inventory()


@dataclass
class Bench:
    """Both actors and what is around them."""

    kernel: Kernel = field(default_factory=Kernel)
    state: KernelState = field(default_factory=KernelState)
    inbox: Inbox = field(default_factory=Inbox)
    reports: list[Report] = field(default_factory=list)
    known: list[ChildSnapshot] = field(default_factory=list)
    traps_are_settled: bool = True

    def __post_init__(self) -> None:
        self.send, self.receive = open_commands()
        sources = Sources(self._children, lambda: self.traps_are_settled, FIRST_REQID)
        self.reconciler = Reconciler(
            self.kernel, self.state, self.send, self.reports.append, sources, INTERVAL, lambda: 0.5
        )

    async def _children(self) -> list[ChildSnapshot]:
        return self.known

    def names(self) -> list[str]:
        return [report.name for report in self.reports]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A Child SA is installed, and the first look is over."""
    made = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_kernel, made.receive, made.kernel, made.state, made.reports.append)
        nursery.start_soon(made.reconciler.run)
        await made.send.send(KernelRequest(1, InstallChildSa(1, (OUT, IN), POLICIES), made.inbox))
        await wait_all_tasks_blocked()
        assert not made.kernel.looks, "nobody looks before all that is found is taken up"
        made.reconciler.begin.set()
        await trio.sleep(1.5)
        assert made.kernel.looks == 1
        made.inbox.events.clear()
        yield made
        nursery.cancel_scope.cancel()


async def test_where_nothing_differs_nothing_is_said(
    bench: Bench, autojump_clock: MockClock
) -> None:
    await trio.sleep(INTERVAL)
    assert bench.kernel.looks == 2
    assert not bench.reports
    assert bench.reconciler.statistics().looks == 2


async def test_a_flush_is_healed_at_once(bench: Bench, autojump_clock: MockClock) -> None:
    bench.kernel.sas.clear()
    bench.kernel.policies.clear()
    bench.kernel.post(Disturbed())
    await trio.sleep(0.1)
    assert bench.inbox.events == [SaExpired(one.sa_id, hard=True) for one in (OUT, IN)]
    assert set(bench.kernel.policies.values()) == set(POLICIES)
    (report,) = bench.reports
    assert (report.name, report.level) == ("kernel-drift", Level.WARNING)
    assert "2 SAs are missing" in report.text
    assert "2 policies were missing and are put back" in report.text
    counts = bench.reconciler.statistics()
    assert (counts.drifts, counts.missing_sas, counts.missing_policies) == (1, 2, 2)


async def test_what_is_gone_is_told_once_however_long_its_owner_takes(
    bench: Bench, autojump_clock: MockClock
) -> None:
    del bench.kernel.sas[OUT.sa_id]
    bench.kernel.lose_events()
    await trio.sleep(2 * INTERVAL)
    assert bench.names() == ["kernel-drift"]
    assert bench.reconciler.statistics().missing_sas == 1


async def test_who_removes_things_again_and_again_does_not_keep_us_busy(
    bench: Bench, autojump_clock: MockClock
) -> None:
    for _ in range(1000):
        bench.kernel.policies.clear()
        bench.kernel.post(Disturbed())
        await trio.sleep(0.1)
    assert bench.kernel.looks < 20
    await trio.sleep(120.0)
    assert len(bench.kernel.policies) == 2


async def test_an_orphan_is_removed_and_a_foreign_sa_is_not(
    bench: Bench, autojump_clock: MockClock
) -> None:
    foreign = sa(0x4000)
    await bench.kernel.install((ORPHAN, foreign), ())
    bench.kernel.foreign.add(foreign.sa_id)
    bench.state.suspect("a test")
    await trio.sleep(0.1)
    assert set(bench.kernel.sas) == {OUT.sa_id, IN.sa_id, foreign.sa_id}
    (report,) = bench.reports
    assert (report.level, report.details["orphan_sas"]) == (Level.INFO, 1)
    assert bench.reconciler.statistics().foreign_sas == 1


async def test_what_an_association_is_about_to_adopt_is_no_orphan(
    bench: Bench, autojump_clock: MockClock
) -> None:
    await bench.kernel.install((ORPHAN,), ())
    bench.known.append(replace(child(1), sa_ids=(ORPHAN.sa_id,)))
    bench.state.suspect("a test")
    await trio.sleep(0.1)
    assert ORPHAN.sa_id in bench.kernel.sas
    bench.known.clear()
    await trio.sleep(INTERVAL + 10)
    assert ORPHAN.sa_id not in bench.kernel.sas


async def test_an_orphan_policy_goes_when_nobody_has_claimed_it_in_a_while(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.kernel.policies[key_of(STRAY)] = STRAY
    bench.state.suspect("a test")
    await trio.sleep(30.0)
    assert key_of(STRAY) in bench.kernel.policies, "it keeps packets from leaving in the clear"
    await trio.sleep(60.0)
    assert key_of(STRAY) not in bench.kernel.policies
    assert bench.reconciler.statistics().orphan_policies == 1


async def test_an_orphan_policy_that_a_child_will_claim_stays(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.kernel.policies[key_of(STRAY)] = STRAY
    bench.known.append(replace(child(1), reqid=STRAY.reqid))
    bench.state.suspect("a test")
    await trio.sleep(2 * INTERVAL)
    assert key_of(STRAY) in bench.kernel.policies


async def test_a_traps_policy_stays_until_all_traps_are_in_force(
    bench: Bench, autojump_clock: MockClock
) -> None:
    trapping = replace(STRAY, reqid=FIRST_REQID + 1)
    bench.kernel.policies[key_of(trapping)] = trapping
    bench.traps_are_settled = False
    bench.state.suspect("a test")
    await trio.sleep(2 * INTERVAL)
    assert key_of(trapping) in bench.kernel.policies
    bench.traps_are_settled = True
    await trio.sleep(2 * INTERVAL)
    assert key_of(trapping) not in bench.kernel.policies


async def test_a_kernel_that_does_not_say_what_it_holds_is_reported(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.kernel.is_silent = True
    await trio.sleep(INTERVAL)
    assert bench.names() == ["kernel-look-failed"]
    assert bench.reconciler.statistics().failed_looks == 1


async def test_an_operator_sees_what_differs_and_it_is_mended_after(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.kernel.policies.clear()
    seen = await bench.reconciler.compare()
    assert (seen.wanted_sas, seen.wanted_policies) == (2, 2)
    assert set(seen.difference.missing_policies) == set(POLICIES)
    await trio.sleep(0.1)
    assert len(bench.kernel.policies) == 2
    assert not (await bench.reconciler.compare()).difference
