"""What is to stay up: tried again with back-off, until an operator takes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.protocol.actions import (
    Action,
)
from ikeactors.protocol.events import (
    DeletionRequested,
    Event,
    RekeyRequested,
)
from ikeactors.protocol.settings import DownAction
from tests.fakes.associations import (
    FakeAssociation,
    Step,
    close,
    establish,
    fail,
    first_request,
)
from tests.fakes.peers import World, connection

settled = trio.testing.wait_all_tasks_blocked


async def test_children_to_start_are_tried_again_with_back_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[fail]] * 4 + [[establish]], (connection(start=True),))
    async with world.running():
        began = trio.current_time()
        world.peers.start_configured()
        await trio.sleep(60)
        assert world.peers.failures() == {}
    assert [round(at - began) for at in world.associations.made_at] == [0, 1, 3, 7, 15]


async def test_keyingtries_bounds_the_attempts(autojump_clock: trio.testing.MockClock) -> None:
    world = World([[fail]], (connection(start=True, keyingtries=3),))
    async with world.running():
        world.peers.start_configured()
        await trio.sleep(3600)
        assert world.peers.failures() == {"net": "no answer"}
        assert world.peers.statistics().associations == 0
    assert len(world.associations.made) == 3
    assert "association-given-up" in await world.told()


@pytest.mark.parametrize(
    ("start", "close_action", "dpd_action", "end", "comes_back"),
    [
        (True, DownAction.CLEAR, DownAction.CLEAR, close, True),
        (True, DownAction.CLEAR, DownAction.CLEAR, fail, True),
        (False, DownAction.CLEAR, DownAction.CLEAR, close, False),
        (False, DownAction.START, DownAction.CLEAR, close, True),
        (False, DownAction.START, DownAction.CLEAR, fail, False),
        (False, DownAction.CLEAR, DownAction.START, fail, True),
        (False, DownAction.CLEAR, DownAction.START, close, False),
    ],
)
async def test_what_is_lost_comes_back_as_its_actions_say(
    autojump_clock: trio.testing.MockClock,
    start: bool,
    close_action: DownAction,
    dpd_action: DownAction,
    end: Step,
    comes_back: bool,
) -> None:
    one = connection(start=start, close_action=close_action, dpd_action=dpd_action)
    world = World([[establish, end], [establish]], (one,))
    async with world.running():
        number = world.peers.initiate("net", ("child",))
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(10)
        assert world.peers.statistics().established == int(comes_back)


async def test_what_an_operator_took_down_stays_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[establish, close]], (connection(start=True),))
    async with world.running():
        world.peers.start_configured()
        await settled()
        (number,) = world.peers.numbers_of("net")
        world.peers.send(number, DeletionRequested())
        await trio.sleep(3600)
        assert world.peers.numbers_of("net") == []
    assert len(world.associations.made) == 1


async def test_a_negotiation_that_rests_can_be_called_off_or_hurried(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[fail]], (connection(start=True),))
    ticket = world.answers.expect(5)
    async with world.running():
        world.peers.start_configured()
        await trio.sleep(100)
        resting = len(world.associations.made)
        number = world.peers.initiate("net")
        await settled()
        assert len(world.associations.made) == resting + 1
        world.peers.send(number, DeletionRequested(request_id=5))
        assert (await ticket()).succeeded
        assert world.peers.numbers_of("net") == []


async def test_a_resting_negotiation_leaves_it_to_the_peer_that_came_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def come_back(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.connection_name = "net"
        association.children = ("child",)
        return establish(association, event)

    world = World([[fail], [come_back]], (connection(start=True),))
    async with world.running():
        world.peers.start_configured()
        await settled()
        world.peers.respond(first_request())
        await trio.sleep(60)
        assert len(world.peers.numbers_of("net")) == 1
    assert len(world.associations.made) == 2


async def test_no_route_is_a_failure_that_is_told(autojump_clock: trio.testing.MockClock) -> None:
    world = World(source=None)
    ticket = world.answers.expect(1)
    async with world.running():
        world.peers.initiate("net", request_id=1)
        answer = await ticket()
    assert (answer.succeeded, answer.text) == (False, "no route leads to 192.0.2.2:500")


async def test_who_is_called_by_a_name_is_looked_up_for_each_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    named = replace(connection("net", start=True), remote_addrs=(), remote_names=("gw",))
    world = World([[fail], [establish]], connections=(named,))
    world.names = {}
    async with world.running():
        world.peers.initiate("net")
        await trio.testing.wait_all_tasks_blocked()
        assert world.associations.made == []
        assert world.peers.failures() == {"net": "gw does not resolve: NXDOMAIN"}
        world.names["gw"] = (ip_address("192.0.2.8"), ip_address("192.0.2.9"))
        await trio.sleep(60)
        assert [remote.address for _, remote in world.associations.ends] == [
            ip_address("192.0.2.9"),
            ip_address("192.0.2.8"),
        ]


async def test_a_connection_that_names_several_places_is_called_at_none() -> None:
    several = replace(connection("net"), remote_names=("gw",))
    world = World(connections=(several,))
    with pytest.raises(ValueError, match="no single remote address"):
        world.peers.initiate("net")
