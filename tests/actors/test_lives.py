"""What an association that rests between two negotiations says to operators."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from ikeactors.protocol.actions import Action
from ikeactors.protocol.events import DeletionRequested, Event, RekeyRequested
from tests.fakes.associations import FakeAssociation
from tests.fakes.peers import World, connection


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
