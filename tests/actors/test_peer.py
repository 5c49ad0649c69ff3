"""One association's actor: its actions carried out, and what answers them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import trio.testing

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import SaId, SaUsage
from ikeactors.protocol.actions import Action, QueryUsage
from ikeactors.protocol.events import Event, UsageReported
from tests.fakes.associations import FakeAssociation
from tests.fakes.peers import World

SA_ID = SaId(0xC0FFEE, ProtocolId.ESP, ip_address("192.0.2.2"), ip_address("192.0.2.1"))


async def test_a_query_of_usage_is_answered_by_the_kernel_actor() -> None:
    def ask(association: FakeAssociation, event: Event) -> Sequence[Action]:
        return [QueryUsage(7, (SA_ID,))]

    world = World([[ask]])
    async with world.running():
        world.peers.initiate("net")
        await trio.testing.wait_all_tasks_blocked()
        (association,) = world.associations.made
        assert association.events[-1] == UsageReported(7, (SaUsage(SA_ID, 100, 1, 0.0),))
