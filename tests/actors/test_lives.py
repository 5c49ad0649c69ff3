"""What an association that rests between two negotiations says to operators."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
import trio
import trio.testing

from ikeactors.actors.peer import Peer
from ikeactors.actors.succession import Renewal
from ikeactors.protocol.actions import Action, ClaimIdentity
from ikeactors.protocol.events import (
    DatagramReceived,
    DeletionRequested,
    Event,
    InitiationRequested,
    RekeyRequested,
    Superseded,
    TimerExpired,
)
from ikeactors.protocol.settings import Unique
from ikeactors.wire.identities import Identity
from tests.fakes.associations import LOCAL, REMOTE, FakeAssociation, close, establish, ignore
from tests.fakes.peers import World, connection

INIT = struct.pack(">8s8sBBBBII", b"initiatr", bytes(8), 33, 0x20, 34, 0x08, 0, 28)
settled = trio.testing.wait_all_tasks_blocked


def fail(association: FakeAssociation, event: Event) -> Sequence[Action]:
    association.closed, association.failure = True, "no answer"
    return []


@pytest.mark.parametrize(
    "request_of, succeeds",
    [
        (lambda number: RekeyRequested(request_id=number), False),
        (lambda number: RekeyRequested("child", request_id=number), False),
        (lambda number: DeletionRequested("child", request_id=number), True),
    ],
)
async def test_a_request_to_an_association_at_rest_is_answered_at_once(
    request_of: type[RekeyRequested], succeeds: bool, autojump_clock: trio.testing.MockClock
) -> None:
    world = World([[fail], []], connections=(connection(start=True),))
    async with world.running():
        number = world.peers.initiate("net")
        await trio.testing.wait_all_tasks_blocked()
        assert world.peers.statistics().resting == 1
        ticket = world.answers.expect(7)
        world.peers.send(number, request_of(7))
        with trio.fail_after(1):
            answer = await ticket()
    assert (answer.succeeded, answer.text) == (succeeds, "there is no IKE SA")


async def test_what_is_asked_of_a_renewal_before_it_begins_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    begun = InitiationRequested(("child",), 6)
    world = World([[ignore, ignore]])
    old, new = Peer(1, "net"), Peer(2, "net")
    old.remote = new.remote = REMOTE
    world.registry.succession.begin(new.number, Renewal(old.number, begun))
    for peer in (old, new):
        world.registry.census.add(peer)
    ticket = world.answers.expect(7)
    asked = InitiationRequested(("other",), 8)
    for event in (DeletionRequested("child", request_id=7), asked):
        world.peers.send(new.number, event)
    old.dismissed = True
    async with world.running():
        with trio.fail_after(1):
            answer = await ticket()
        await settled()
    assert (answer.succeeded, answer.text) == (True, "there is no IKE SA")
    assert world.associations.made[0].events[:2] == [begun, asked]


def claim(*, initiated: bool, nonce: bytes) -> ClaimIdentity:
    ends = Identity.from_text("a.lab"), Identity.from_text("b.lab")
    return ClaimIdentity(8, *ends, Unique.REPLACE, False, initiated, 0.0, 9.0, nonce)


def come_up(association: FakeAssociation, event: Event) -> Sequence[Action]:
    """The peer's own IKE SA stands."""
    association.connection_name = "net"
    return [claim(initiated=False, nonce=b"2"), *establish(association, event)]


def claim_and_lose(association: FakeAssociation, event: Event) -> Sequence[Action]:
    return [claim(initiated=True, nonce=b"1"), *establish(association, event)]


async def test_an_initiator_that_is_overtaken_leaves_its_children_and_requests_behind() -> None:
    world = World([[ignore, ignore, close], [come_up]], (connection(start=True),))
    world.answers.expect(7)
    async with world.running():
        number = world.peers.initiate("net", request_id=7)
        await settled()
        world.peers.respond(DatagramReceived(INIT, LOCAL, REMOTE))
        await settled()
        world.peers.send(number, TimerExpired())
        await settled()
        _, standing = world.associations.made
    asked = [one for one in standing.events if isinstance(one, InitiationRequested)]
    assert asked == [InitiationRequested(("child",)), InitiationRequested((), 7)]


async def test_an_initiator_that_yields_leaves_its_children_to_the_survivor() -> None:
    """Only the end that yields may have been told to start them."""
    world = World([[ignore, claim_and_lose, ignore, close], [come_up]], (connection(start=True),))
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.respond(DatagramReceived(INIT, LOCAL, REMOTE))
        await settled()
        world.peers.send(number, TimerExpired())
        await settled()
        yielding, survivor = world.associations.made
        assert Superseded(silent=False) in yielding.events
        assert len(world.peers.numbers_of("net")) == 1
    assert survivor.events[-1] == InitiationRequested(("child",))
