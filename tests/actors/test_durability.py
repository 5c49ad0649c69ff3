"""What is written after a step, and what waits until it is."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from ikeactors.actors.durability import make_durable
from ikeactors.actors.peer import Peer
from ikeactors.actors.peer_ports import Kept
from ikeactors.protocol.actions import Action, ForgetSpi, InstallChildSa, SendKeepalive
from ikeactors.protocol.events import ChildSaInstalled, Endpoint, Event, TimerExpired
from tests.fakes.associations import HELLO, FakeAssociation

HERE = Endpoint(ip_address("192.0.2.1"), 4500)
SPI = b"initiatr"


class Notes:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def mark(self, peer: Peer) -> None:
        self.asked.append("mark")

    def forget(self, peer: Peer) -> None:
        self.asked.append("forget")

    def set_aside(self, peer: Peer, why: str) -> None:
        self.asked.append("set aside")

    async def durable(self) -> None:
        self.asked.append("wait")

    async def recall(self, peer: Peer) -> Kept | None:
        return None


async def asked_after(
    event: Event, *actions: Action, established: bool = True, closed: bool = False
) -> Sequence[str]:
    association, peer, notes = FakeAssociation(), Peer(1), Notes()
    association.established, association.closed = established, closed
    peer.kept = 7
    await make_durable(peer, association, event, actions, notes)
    return notes.asked


@pytest.mark.parametrize(
    "event, action, asked",
    [
        (TimerExpired(), HELLO, ["mark", "wait"]),
        (TimerExpired(), InstallChildSa(1, (), kept_first=True), ["mark", "wait"]),
        (TimerExpired(), InstallChildSa(1, ()), []),
        (TimerExpired(), ForgetSpi(SPI), ["mark"]),
        (TimerExpired(), SendKeepalive(HERE, HERE), []),
        (ChildSaInstalled(1), SendKeepalive(HERE, HERE), ["mark"]),
    ],
)
async def test_what_a_successor_must_know_is_kept_first(
    event: Event, action: Action, asked: Sequence[str]
) -> None:
    assert await asked_after(event, action) == asked


async def test_one_that_ends_is_forgotten_before_its_end_is_answered() -> None:
    ended = {"established": False, "closed": True}
    assert await asked_after(TimerExpired(), HELLO, **ended) == ["forget", "wait"]
    assert await asked_after(TimerExpired(), **ended) == ["forget"]


async def test_one_that_is_not_established_is_not_kept() -> None:
    assert await asked_after(TimerExpired(), HELLO, established=False) == []
