"""An association that crashes goes on from its checkpoint, and never in a loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import trio
import trio.testing
from trio.testing import MockClock

from ikeactors.actors.keeper import Keeper, run_keeper
from ikeactors.actors.lives import Lives
from ikeactors.actors.peers import Peers
from ikeactors.actors.restarting import Locator
from ikeactors.actors.revivals import PROBATION
from ikeactors.actors.store import MemoryStore, Row
from ikeactors.protocol.actions import Action, RegisterSpi
from ikeactors.protocol.events import Event, RekeyRequested, Restored, TimerExpired
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from tests.actors.test_keeper import at_once
from tests.fakes.associations import (
    HELLO,
    LOCAL,
    REMOTE,
    FakeAssociation,
    FakeAssociations,
    Step,
    crash,
    ignore,
)
from tests.fakes.peers import World
from tests.pair import Pair

SPI = b"initiatr"
settled = trio.testing.wait_all_tasks_blocked


def stand(association: FakeAssociation, _: Event) -> Sequence[Action]:
    association.established = True
    return [RegisterSpi(SPI), HELLO]


class Standing(FakeAssociation):
    """One whose checkpoint is a real one."""

    def checkpoint(self, now: float) -> Checkpoint:
        made = Pair().establish().west.association.checkpoint(now)
        return replace(made, connection="net", local=LOCAL, remote=REMOTE)


class Restoring(FakeAssociations):
    """Makes associations anew, and from checkpoints, each with the script that is next."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        super().__init__(list(scripts))
        self.restorations = 0
        self.fault: Exception | None = None

    def restored(self, checkpoint: Checkpoint, now: float, elapsed: float) -> FakeAssociation:
        if self.fault is not None:
            raise self.fault
        self.restorations += 1
        association = self._next(checkpoint.connection, LOCAL, REMOTE)
        association.established = True
        return association

    def _next(self, *arguments: object) -> FakeAssociation:
        made = super()._next(*arguments)
        made.__class__ = Standing
        return made


class DurableWorld(World):
    """With a store."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.restoring = Restoring(*scripts)
        super().__init__(list(scripts), associations=self.restoring)
        self.store = MemoryStore()
        self.keeper = Keeper(self.store, self.hub.publish, trio.current_time, carry=at_once)
        self.outlets = replace(self.outlets, durability=self.keeper)
        self.lives = Lives(
            self.settings,
            self.associations,
            Locator(lambda _: self.source, 500),
            self.outlets,
            self.registry,
            lambda: 0.0,
        )
        self.peers = Peers(self.settings, self.lives, self.registry, self.router)

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[int]:
        async with self.running() as nursery:
            await self.keeper.open()
            nursery.start_soon(run_keeper, self.keeper)
            number = self.peers.initiate("net", ("child",))
            await settled()
            assert list(self.store.rows) == [1]
            yield number

    async def give(self, number: int, event: Event) -> None:
        self.peers.send(number, event)
        await settled()


async def test_one_that_crashes_goes_on_from_its_checkpoint_at_once(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand, ignore])
    async with world.standing() as number:
        began = trio.current_time()
        await world.give(number, TimerExpired())
        assert trio.current_time() == began
        _, again = world.associations.made
        assert again.events == [Restored()]
        assert world.restoring.restorations == 1
        assert world.peers.statistics().established == 1
        assert list(world.store.rows) == [1]
        assert len(world.forgotten) == 1
    told = await world.told()
    assert told.count("actor-crashed") == 1
    assert "checkpoint-set-aside" not in told


async def test_a_request_that_was_under_way_is_answered(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand])
    async with world.standing() as number:
        ticket = world.answers.expect(7)
        await world.give(number, RekeyRequested(request_id=7))
        with trio.fail_after(1):
            answer = await ticket()
    assert (answer.succeeded, answer.text) == (False, "the association crashed")


async def test_a_checkpoint_whose_association_crashes_again_is_set_aside_with_the_crash(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [crash], [stand], [ignore])
    async with world.standing() as number:
        await world.give(number, TimerExpired())
        await trio.sleep(30.0)
        assert world.restoring.restorations == 1
        assert len(world.associations.made) == 3
        assert world.peers.statistics().established == 1
    assert "Injected: as the test said" in world.store.aside[1]
    assert list(world.store.rows) == [2]
    assert "checkpoint-set-aside" in await world.told()


async def test_one_that_crashes_each_time_it_stands_ends_parked(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [crash])
    async with world.standing() as number:
        await world.give(number, TimerExpired())
        await trio.sleep(1000.0)
        assert world.peers.statistics().parked == 1
        assert world.restoring.restorations == 1


async def test_one_that_crashes_much_later_goes_on_again(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand, crash], [stand])
    async with world.standing() as number:
        await world.give(number, TimerExpired())
        await trio.sleep(PROBATION + 1.0)
        await world.give(number, TimerExpired())
        assert world.restoring.restorations == 2
    assert world.store.aside == {}


async def test_a_checkpoint_that_cannot_be_restored_is_set_aside_and_all_negotiated_anew(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand])
    world.restoring.fault = ValueError("nobody has thought of this")
    async with world.standing() as number:
        await world.give(number, TimerExpired())
        await trio.sleep(5.0)
        assert world.peers.statistics().established == 1
        assert len(world.associations.made) == 2
    assert "nobody has thought of this" in world.store.aside[1]


async def test_a_row_that_is_damaged_costs_a_negotiation(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand])
    async with world.standing() as number:
        world.store.rows[1] = Row(0.0, b"text")
        await world.give(number, TimerExpired())
        await trio.sleep(5.0)
        assert world.restoring.restorations == 0
        assert world.peers.statistics().established == 1


async def test_with_a_store_that_fails_all_is_negotiated_anew(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand])
    async with world.standing() as number:
        world.store.fault = "the disk is full"
        await world.give(number, TimerExpired())
        await trio.sleep(5.0)
        assert world.restoring.restorations == 0
        assert world.peers.statistics().established == 1


async def test_one_that_was_to_go_down_does_not_go_on(
    autojump_clock: MockClock,
) -> None:
    world = DurableWorld([stand, crash], [stand])
    async with world.standing() as number:
        world.registry.census.find(number).dismissed = True
        await world.give(number, TimerExpired())
        assert world.restoring.restorations == 0
        assert world.peers.statistics().associations == 0
