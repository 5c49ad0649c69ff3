"""The kernel actor with a simulated kernel: answers, events, refusals, sudden deaths."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from ikeactors.actors.backends import Disturbed
from ikeactors.actors.kernel import (
    Command,
    ForgetOwner,
    KernelAction,
    KernelRequest,
    KernelState,
    open_commands,
    remove_all,
    run_kernel,
    usage_of,
)
from ikeactors.actors.kernel_statistics import kernel_statistics
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import Direction, Mark, SaId, SaRequest, SaUsage
from ikeactors.protocol.actions import InstallChildSa, MoveChildSa, RemoveChildSa, Report
from ikeactors.protocol.events import (
    ChildSaInstalled,
    Endpoint,
    KernelRefused,
    SaExpired,
    SaMappingChanged,
)
from tests.fakes.kernel import Inbox, SimulatedKernel
from tests.fakes.sas import EAST, policy, sa

OUT, IN = sa(0x1000), sa(0x2000, Direction.IN)
POLICIES = (policy(), policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN))
INSTALL = InstallChildSa(1, (OUT, IN), POLICIES)
REMOVE = RemoveChildSa((OUT.sa_id, IN.sa_id), POLICIES)


@dataclass
class Bench:
    """A kernel actor's surroundings, which outlive it."""

    kernel: SimulatedKernel = field(default_factory=SimulatedKernel)
    state: KernelState = field(default_factory=KernelState)
    inbox: Inbox = field(default_factory=Inbox)
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.send, self.receive = open_commands()

    async def ask(self, action: KernelAction, owner: int = 1) -> None:
        await self.command(KernelRequest(owner, action, self.inbox))

    async def command(self, command: Command) -> None:
        await self.send.send(command)
        await wait_all_tasks_blocked()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                run_kernel, self.receive, self.kernel, self.state, self.reports.append
            )
            await wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    async with made.running():
        yield made


async def test_an_installation_is_answered_and_its_removal_leaves_nothing(bench: Bench) -> None:
    await bench.ask(INSTALL)
    assert bench.inbox.events == [ChildSaInstalled(1)]
    assert set(bench.kernel.sas) == {OUT.sa_id, IN.sa_id}
    await bench.ask(REMOVE)
    assert not bench.kernel.sas
    assert not bench.kernel.policies
    assert bench.state.installed.owners() == []


async def test_a_refusal_is_answered_reported_and_leaves_nothing(bench: Bench) -> None:
    bench.kernel.refuse_next(errno.EPROTONOSUPPORT, "no ESP")
    await bench.ask(INSTALL)
    assert bench.inbox.events == [KernelRefused(1, errno.EPROTONOSUPPORT, "no ESP")]
    assert [report.name for report in bench.reports] == ["kernel-refused"]
    assert bench.state.installed.sa_ids() == []


async def test_a_refused_installation_puts_back_the_policies_it_took_over(bench: Bench) -> None:
    await bench.ask(INSTALL)
    successor = tuple(replace(one, reqid=9) for one in POLICIES)
    bench.kernel.refuse_next(errno.EINVAL)
    await bench.ask(InstallChildSa(2, (sa(0x3000),), successor), owner=2)
    assert set(bench.kernel.policies.values()) == set(POLICIES)


async def test_the_kernels_own_eexist_is_a_refusal(bench: Bench) -> None:
    await bench.ask(INSTALL)
    await bench.ask(replace(INSTALL, ticket=2))
    assert isinstance(bench.inbox.events[-1], KernelRefused)
    assert bench.inbox.events[-1].errno == errno.EEXIST
    assert set(bench.kernel.sas) == {OUT.sa_id, IN.sa_id}


async def test_a_rekeyed_child_keeps_its_policies(bench: Bench) -> None:
    await bench.ask(INSTALL)
    await bench.ask(InstallChildSa(2, (sa(0x3000, Direction.IN),), POLICIES))
    await bench.ask(InstallChildSa(3, (sa(0x4000),)))
    await bench.ask(REMOVE)
    assert set(bench.kernel.policies.values()) == set(POLICIES)
    assert len(bench.kernel.sas) == 2


async def test_a_successors_policies_give_way_to_those_below_when_it_goes(bench: Bench) -> None:
    await bench.ask(INSTALL)
    successor = tuple(replace(one, reqid=9) for one in POLICIES)
    await bench.ask(InstallChildSa(2, (sa(0x3000),), successor), owner=2)
    assert bench.kernel.policies[key_of(policy())].reqid == 9
    await bench.command(ForgetOwner(2))
    assert bench.kernel.policies[key_of(policy())].reqid == 7
    await bench.command(ForgetOwner(1))
    assert not bench.kernel.policies
    assert not bench.kernel.sas


async def test_removing_what_was_refused_takes_no_policy_from_its_sibling(bench: Bench) -> None:
    """An association may give a Child SA up before it hears that the data plane refused it."""
    await bench.ask(INSTALL)
    bench.kernel.refuse_next(errno.ENOMEM)
    successor = replace(IN, spi=0x3000)
    await bench.ask(InstallChildSa(2, (successor,), POLICIES))
    await bench.ask(RemoveChildSa((successor.sa_id,), POLICIES))
    assert bench.state.installed.policy_count == len(POLICIES)
    assert set(bench.kernel.policies) == {key_of(one) for one in POLICIES}


async def test_events_go_to_whose_sa_they_are_about(bench: Bench) -> None:
    await bench.ask(INSTALL)
    remote = Endpoint(EAST, 61000)
    bench.kernel.change_mapping(replace(IN.sa_id, mark=Mark(1)), remote)
    bench.kernel.expire(OUT.sa_id, hard=False)
    bench.kernel.post(SaExpired(sa(0x9999).sa_id, hard=True))
    await wait_all_tasks_blocked()
    assert bench.inbox.events[1:] == [
        SaMappingChanged(IN.sa_id, remote),
        SaExpired(OUT.sa_id, hard=False),
    ]


class SlowKernel(SimulatedKernel):
    """Installs at once, and answers later."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = trio.Event()

    async def install(self, *request: Any) -> None:
        await super().install(*request)
        await self.answers.wait()


async def test_an_sa_that_is_gone_before_its_installation_is_answered_is_told_to_be() -> None:
    kernel = SlowKernel()
    bench = Bench(kernel)
    async with bench.running():
        await bench.ask(INSTALL)
        kernel.expire(IN.sa_id)
        await wait_all_tasks_blocked()
        assert bench.inbox.events == []
        kernel.answers.set()
        await wait_all_tasks_blocked()
        assert bench.inbox.events == [ChildSaInstalled(1), SaExpired(IN.sa_id, hard=True)]


async def test_after_lost_events_somebody_is_to_look_at_what_is_there(bench: Bench) -> None:
    bench.state.doubt = ""
    bench.kernel.lose_events()
    await wait_all_tasks_blocked()
    assert bench.state.doubt == "events were lost"
    assert kernel_statistics(bench.kernel, bench.state).losses_of_events == 1


@pytest.mark.parametrize(
    ("sa_id", "doubt"),
    [
        (None, "another program has removed something"),
        (OUT.sa_id, "another program has removed something"),
        (sa(0x7000).sa_id, ""),
    ],
)
async def test_what_another_program_removes_is_looked_into_where_it_may_be_ours(
    bench: Bench, sa_id: SaId | None, doubt: str
) -> None:
    await bench.ask(INSTALL)
    bench.state.doubt = ""
    bench.kernel.post(Disturbed(sa_id))
    await wait_all_tasks_blocked()
    assert bench.state.doubt == doubt


async def test_a_full_mailbox_loses_what_the_network_sends_and_nothing_else(bench: Bench) -> None:
    await bench.ask(INSTALL)
    bench.inbox.is_full = True
    bench.kernel.change_mapping(IN.sa_id, Endpoint(EAST, 1))
    bench.kernel.expire(IN.sa_id)
    await wait_all_tasks_blocked()
    assert bench.inbox.events[1:] == [SaExpired(IN.sa_id, hard=True)]


async def test_moved_sas_are_found_under_their_new_names(bench: Bench) -> None:
    await bench.ask(INSTALL)
    moved = (replace(OUT, source=EAST), replace(IN, destination=EAST))
    await bench.ask(MoveChildSa((OUT.sa_id, IN.sa_id), moved, POLICIES, POLICIES))
    assert set(bench.kernel.sas) == {one.sa_id for one in moved}
    bench.kernel.expire(moved[0].sa_id)
    await wait_all_tasks_blocked()
    assert bench.inbox.events[-1] == SaExpired(moved[0].sa_id, hard=True)
    await bench.ask(RemoveChildSa(tuple(one.sa_id for one in moved), POLICIES))
    assert not bench.kernel.sas
    assert not bench.kernel.policies


async def test_sas_that_a_refused_move_has_lost_are_reported_as_gone(bench: Bench) -> None:
    await bench.ask(INSTALL)
    del bench.kernel.sas[OUT.sa_id]
    bench.kernel.refuse_next(errno.ESRCH)
    await bench.ask(MoveChildSa((OUT.sa_id, IN.sa_id), (OUT, IN), POLICIES, POLICIES))
    assert bench.inbox.events[1:] == [SaExpired(OUT.sa_id, hard=True)]


async def test_what_was_refused_is_not_there_once_it_is_moved(bench: Bench) -> None:
    """Its owner may ask for that before it hears of the refusal."""
    bench.kernel.refuse_next(errno.ENOMEM)
    await bench.ask(INSTALL)
    await bench.ask(MoveChildSa((OUT.sa_id, IN.sa_id), (OUT, IN), POLICIES, POLICIES))
    assert bench.state.installed.sa_ids() == []
    assert not bench.state.installed.policy_keys


async def test_of_what_is_moved_a_part_may_have_been_refused(bench: Bench) -> None:
    await bench.ask(replace(INSTALL, sas=(IN,)))
    moved = (replace(OUT, source=EAST), replace(IN, destination=EAST))
    await bench.ask(MoveChildSa((OUT.sa_id, IN.sa_id), moved, POLICIES, POLICIES))
    assert bench.state.installed.sa_ids() == [moved[1].sa_id]


async def test_usage_is_told_of_what_is_there(bench: Bench) -> None:
    await bench.ask(INSTALL)
    used = SaUsage(OUT.sa_id, 840, 10, 1.0)
    bench.kernel.used[OUT.sa_id] = used
    assert list(await usage_of(bench.send, (OUT.sa_id, sa(0x9999).sa_id))) == [used]


async def test_who_gave_up_waiting_for_usage_harms_nobody(bench: Bench) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await usage_of(bench.send, (OUT.sa_id,))
    with trio.move_on_after(0):
        await usage_of(bench.send, (OUT.sa_id,))
    await bench.ask(INSTALL)
    assert bench.inbox.events == [ChildSaInstalled(1)]


async def test_a_stopping_daemon_leaves_nothing_installed(bench: Bench) -> None:
    await bench.ask(INSTALL)
    await bench.ask(InstallChildSa(2, (sa(0x3000),), POLICIES), owner=2)
    await remove_all(bench.kernel, bench.state)
    assert not bench.kernel.sas
    assert not bench.kernel.policies


async def test_the_actor_ends_when_nobody_can_command_it_any_more() -> None:
    bench = Bench()
    await bench.send.aclose()
    await run_kernel(bench.receive, bench.kernel, bench.state, bench.reports.append)


class DyingKernel(SimulatedKernel):
    """Cancels its caller at the n-th await that it comes to."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at = -1
        self.scope: trio.CancelScope | None = None

    async def pause(self) -> None:
        self.dies_at -= 1
        if self.dies_at == 0 and self.scope is not None:
            self.scope.cancel()
        await super().pause()


SCRIPT: tuple[Command, ...] = (
    KernelRequest(1, INSTALL, Inbox()),
    KernelRequest(2, InstallChildSa(2, (sa(0x3000),), POLICIES), Inbox()),
    KernelRequest(1, MoveChildSa((OUT.sa_id,), (replace(OUT, source=EAST),)), Inbox()),
    KernelRequest(1, RemoveChildSa((IN.sa_id,), POLICIES), Inbox()),
    ForgetOwner(2),
)


@pytest.mark.parametrize("dies_at", range(1, 32))
async def test_an_actor_that_dies_anywhere_leaves_its_successor_to_finish(dies_at: int) -> None:
    kernel, state, (send, receive) = DyingKernel(), KernelState(), open_commands()
    kernel.dies_at = dies_at
    for command in SCRIPT:
        send.send_nowait(command)
    send.close()
    with trio.CancelScope() as kernel.scope:
        await run_kernel(receive, kernel, state, [].append)
    kernel.scope = None
    await run_kernel(receive, kernel, state, [].append)
    assert set(kernel.sas) == {replace(OUT, source=EAST).sa_id}
    assert state.installed.sa_ids() == [replace(OUT, source=EAST).sa_id]
    assert not kernel.policies


async def test_each_installation_is_answered_once_whenever_the_actor_dies() -> None:
    for dies_at in range(1, 8):
        kernel, state, inbox = DyingKernel(), KernelState(), Inbox()
        kernel.dies_at = dies_at
        send, receive = open_commands()
        send.send_nowait(KernelRequest(1, INSTALL, inbox))
        send.close()
        with trio.CancelScope() as kernel.scope:
            await run_kernel(receive, kernel, state, [].append)
        kernel.scope = None
        await run_kernel(receive, kernel, state, [].append)
        assert inbox.events == [ChildSaInstalled(1)]


@pytest.mark.parametrize("made", [(), (OUT,), (OUT, IN)])
async def test_what_a_killed_predecessor_had_installed_is_not_made_again(
    made: tuple[SaRequest, ...],
) -> None:
    """It may have sent by it, and would count from the beginning."""
    bench = Bench()
    await bench.kernel.install(made, ())
    bench.kernel.calls.clear()
    bench.state.under_way = KernelRequest(1, INSTALL, bench.inbox)
    async with bench.running():
        pass
    assert bench.inbox.events == [ChildSaInstalled(1)]
    assert set(bench.kernel.sas) == {OUT.sa_id, IN.sa_id}
    assert bench.kernel.calls == ["usage 2 0", f"install {2 - len(made)} {len(POLICIES)}"]
    assert bench.state.under_way is None
    assert bench.state.installed.is_held_by(1, OUT.sa_id)
