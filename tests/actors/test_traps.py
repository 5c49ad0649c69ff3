"""Traps: their policies in the data plane, and who is asked when a packet needs a child."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import trio
import trio.testing

from ikeactors.actors.backends import Acquired
from ikeactors.actors.kernel import Command, KernelRequest, open_commands
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.traps import MAX_WAITING, Traps
from ikeactors.kernel.requests import Direction, Mode, PolicyRequest
from ikeactors.protocol.actions import InstallChildSa, RemoveChildSa
from ikeactors.protocol.events import Address, Trigger
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, Settings, StartAction
from tests.fakes.sas import EAST, WEST, policy, selector
from tests.pair import child as child_of
from tests.pair import connection as connection_of

TRIGGER = Trigger(selector("10.1.0.1/32", 1), selector("10.2.0.1/32", 1))
NET = child_of(start_action=StartAction.TRAP)
WEB = replace(child_of("web"), start_action=StartAction.TRAP_START)
PLAIN = child_of("plain")


def settings_of(*children: ChildSettings) -> Settings:
    made: ConnectionSettings = connection_of(children=children)
    return Settings((made,))


@dataclass
class Bench:
    """An actor, what it asks of the data plane and whom it has brought up."""

    settings: Settings
    source: Address | None = WEST
    initiated: list[tuple[str, str, Trigger]] = field(default_factory=list)

    def __post_init__(self) -> None:
        kernel, self.commands = open_commands()
        self.hub = ReportHub(lambda: 0.0)
        self.reports = self.hub.subscribe()
        self.traps = Traps(
            self.settings, Locator(lambda _: self.source, 500), kernel, self.hub, self._initiate
        )

    def _initiate(self, *asked: object) -> None:
        self.initiated.append(asked)  # type: ignore[arg-type]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.traps.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.traps.run)
            await trio.testing.wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()

    def asked(self) -> list[InstallChildSa | RemoveChildSa]:
        """What the data plane is to do, since the last look."""
        found: list[Command] = []
        while True:
            try:
                found.append(self.commands.receive_nowait())
            except trio.WouldBlock:
                break
        requests = [one for one in found if isinstance(one, KernelRequest)]
        return [one.action for one in requests]  # type: ignore[misc]

    def outbound(self) -> list[PolicyRequest]:
        installed = [one for one in self.asked() if isinstance(one, InstallChildSa)]
        policies = (policy for one in installed for policy in one.policies)
        return [one for one in policies if one.direction == Direction.OUT]


async def test_children_with_a_trap_have_policies_and_no_sa() -> None:
    bench = Bench(settings_of(NET, WEB, PLAIN))
    async with bench.running():
        assert bench.traps.settled.is_set()
        first, second = bench.asked()
    assert isinstance(first, InstallChildSa)
    assert not first.sas
    assert [one.direction for one in first.policies] == [
        Direction.OUT,
        Direction.IN,
        Direction.FWD,
    ]
    assert [one.on_demand for one in first.policies] == [True, False, False]
    out = first.policies[0]
    assert (out.source, out.destination) == (selector("10.1.0.0/16"), selector("10.2.0.0/16"))
    assert out.tunnel_source == WEST
    # The kernel asks once for each reqid.
    assert out.reqid != second.policies[0].reqid
    assert bench.traps.statistics().traps == 2


async def test_a_packet_brings_its_child_up() -> None:
    bench = Bench(settings_of(NET))
    async with bench.running():
        (out,) = bench.outbound()
        bench.traps.acquired(Acquired(out, TRIGGER))
        await trio.testing.wait_all_tasks_blocked()
        bench.traps.acquired(Acquired(policy(), TRIGGER))
        await trio.testing.wait_all_tasks_blocked()
    assert bench.initiated == [("gw", "net", TRIGGER)]
    assert bench.traps.statistics().acquisitions == 1


async def test_a_storm_of_acquisitions_is_bounded() -> None:
    bench = Bench(settings_of(NET))
    async with bench.running():
        (out,) = bench.outbound()
        for _ in range(MAX_WAITING + 10):
            bench.traps.acquired(Acquired(out, TRIGGER))
        await trio.testing.wait_all_tasks_blocked()
    assert len(bench.initiated) == MAX_WAITING


async def test_with_another_address_of_ours_policies_are_replaced_the_new_ones_first() -> None:
    bench = Bench(settings_of(NET))
    async with bench.running():
        before = bench.asked()[0].policies
        bench.traps.look_around()
        await trio.testing.wait_all_tasks_blocked()
        assert bench.asked() == []
        bench.source = ip_address("10.77.0.9")
        bench.traps.look_around()
        await trio.testing.wait_all_tasks_blocked()
        new, gone = bench.asked()
    assert isinstance(new, InstallChildSa)
    assert new.policies[0].tunnel_source == bench.source
    assert gone == RemoveChildSa((), before)


async def test_without_a_way_to_the_peer_one_report_says_so_and_a_way_is_taken() -> None:
    bench = Bench(settings_of(NET), source=None)
    async with bench.running():
        assert bench.asked() == []
        bench.traps.look_around()
        await trio.testing.wait_all_tasks_blocked()
        bench.source = WEST
        bench.traps.look_around()
        await trio.testing.wait_all_tasks_blocked()
        assert len(bench.outbound()) == 1
    assert bench.traps.statistics().policies == 1


async def test_a_child_may_have_its_trap_later() -> None:
    """dpd_action and close_action."""
    bench = Bench(settings_of(PLAIN))
    async with bench.running():
        assert bench.asked() == []
        for _ in range(2):
            bench.traps.add("gw", ("plain",))
            await trio.testing.wait_all_tasks_blocked()
        (out,) = bench.outbound()
        bench.traps.acquired(Acquired(out, TRIGGER))
        await trio.testing.wait_all_tasks_blocked()
    assert bench.initiated == [("gw", "plain", TRIGGER)]


async def test_transport_mode_is_between_the_two_ends() -> None:
    made = connection_of(children=(ChildSettings("host", start_action=StartAction.TRAP),))
    host = replace(made.children[0], mode=Mode.TRANSPORT, esp_proposals=child_of().esp_proposals)
    bench = Bench(Settings((replace(made, children=(host,)),)))
    async with bench.running():
        (installed,) = bench.asked()
    assert [one.direction for one in installed.policies] == [Direction.OUT, Direction.IN]
    assert installed.policies[0].source.start == WEST
    assert installed.policies[0].destination.start != EAST


async def test_a_child_that_is_uninstalled_is_trapped_no_more() -> None:
    bench = Bench(settings_of(NET, PLAIN))
    async with bench.running():
        installed = bench.asked()
        bench.traps.remove("gw", ["net"])
        await trio.testing.wait_all_tasks_blocked()
        (removed,) = bench.asked()
        assert isinstance(removed, RemoveChildSa)
        assert [removed.policies] == [one.policies for one in installed]
        assert not bench.traps.has("gw", "net")
        bench.traps.acquired(Acquired(removed.policies[0], TRIGGER))
        await trio.testing.wait_all_tasks_blocked()
        assert not bench.initiated
        bench.traps.add("gw", ["net"])
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(bench.asked()[0], InstallChildSa)
