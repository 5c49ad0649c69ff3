"""Associations that crash, one and again: who comes after them, who is left in peace."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.testing

from ikeactors.protocol.actions import (
    Action,
    InstallChildSa,
)
from ikeactors.protocol.events import (
    Event,
    InitiationRequested,
    RekeyRequested,
)
from tests.fakes.associations import (
    FakeAssociation,
    crash,
    doing,
    establish,
    first_request,
    ignore,
)
from tests.fakes.peers import LOCAL, REMOTE, World, connection

settled = trio.testing.wait_all_tasks_blocked


async def test_a_crash_starts_that_negotiation_again_and_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    other = connection("other", remote="192.0.2.3")
    world = World([[establish], [establish, crash], [establish]], (connection(), other))
    async with world.running():
        bystander = world.peers.initiate("other")
        await settled()
        number = world.peers.initiate("net", ("child",), request_id=3)
        await settled()
        world.peers.send(number, RekeyRequested(request_id=4))
        await settled()
        assert world.peers.statistics().resting == 1
        await trio.sleep(1)
        assert world.peers.numbers_of("net") == [number]
        assert world.peers.numbers_of("other") == [bystander]
        statistics = world.peers.statistics()
        assert (statistics.established, statistics.crashes) == (2, 1)
    _, crashed, successor = world.associations.made
    assert len(world.associations.made[0].events) == 1
    assert successor.events == [InitiationRequested(("child",), 3)]
    assert crashed is not successor


async def test_the_tunnels_of_a_crashed_association_stay_until_its_successor_stands(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[establish, crash], [ignore, establish]])
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(1)
        assert len(world.associations.made) == 2
        assert world.forgotten == []
        world.peers.send(number, RekeyRequested())
        await settled()
        assert world.forgotten == [1]


async def test_answers_to_a_crashed_association_do_not_reach_its_successor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[doing(InstallChildSa(5, ())), crash], [ignore]], kernel_delay=10.0)
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(20)
    first, second = world.associations.made
    assert first.events[-1] == RekeyRequested()
    assert second.events == [InitiationRequested()]


async def test_an_established_responder_that_crashes_calls_its_peer_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def name_and_establish(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.connection_name = "net"
        association.children = ("child",)
        return establish(association, event)

    world = World([[name_and_establish, crash], [establish]])
    async with world.running():
        world.peers.respond(first_request())
        await settled()
        (number,) = world.peers.numbers_of("net")
        world.peers.send(number, RekeyRequested())
        await trio.sleep(1)
        assert world.peers.statistics().established == 1
    assert world.associations.made[1].events == [InitiationRequested(("child",))]
    assert world.associations.ends[1] == (LOCAL, REMOTE)


async def test_an_association_that_keeps_crashing_is_parked_until_it_is_brought_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[crash]] * 6 + [[establish]])
    ticket = world.answers.expect(3)
    async with world.running():
        number = world.peers.initiate("net", request_id=3)
        answer = await ticket()
        assert not answer.succeeded
        assert "crashed 6 times within 60 s" in answer.text
        await trio.sleep(3600)
        assert world.peers.statistics().parked == 1
        assert len(world.associations.made) == 6
        assert "parked" in world.peers.failures()["net"]
        assert world.peers.initiate("net") == number
        await settled()
        statistics = world.peers.statistics()
        assert (statistics.parked, statistics.established) == (0, 1)
    assert (await world.told()).count("association-parked") == 1


async def test_rare_crashes_do_not_park(autojump_clock: trio.testing.MockClock) -> None:
    world = World([[establish, crash]] * 10 + [[establish]])
    async with world.running():
        number = world.peers.initiate("net")
        for _ in range(10):
            await trio.sleep(61)
            world.peers.send(number, RekeyRequested())
        await trio.sleep(61)
        assert world.peers.statistics().established == 1
