"""What a daemon finds of the one before it: one association that cannot go on hinders no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from ikeactors.actors.keeper import Keeper
from ikeactors.actors.peers import Peers
from ikeactors.protocol.ikev2.stored import Unrestorable
from ikeactors.returning import take_back


@dataclass
class FakeKept:
    """One that was kept; `fault` is what it raises when it is to go on."""

    number: int
    fault: Exception | None = None
    stain: Exception | None = None


@dataclass
class FakeKeeper:
    rows: list[FakeKept]
    dropped: dict[int, tuple[str, bool]] = field(default_factory=dict)

    async def open(self) -> list[FakeKept]:
        return self.rows

    def drop(self, number: int, why: str, traceback: str = "") -> None:
        self.dropped[number] = why, bool(traceback)


@dataclass
class FakePeers:
    back: list[int] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)

    def everybody(self) -> list[object]:
        return []

    def take_back(self, kept: FakeKept) -> None:
        if kept.fault is not None:
            raise kept.fault
        self.back.append(kept.number)

    async def clear_away(self, kept: FakeKept) -> None:
        if kept.stain is not None:
            raise kept.stain
        self.cleared.append(kept.number)


@pytest.mark.parametrize(
    ("fault", "why", "is_ours"),
    [
        (Unrestorable("of another version"), "of another version", False),
        (ZeroDivisionError("our mistake"), "ZeroDivisionError: our mistake", True),
    ],
)
async def test_one_that_cannot_go_on_hinders_no_other(
    fault: Exception, why: str, is_ours: bool
) -> None:
    keeper = FakeKeeper([FakeKept(1), FakeKept(2, fault), FakeKept(3)])
    peers = FakePeers()
    await take_back(cast(Keeper, keeper), cast(Peers, peers))
    assert peers.back == [1, 3]
    assert peers.cleared == [2]
    assert keeper.dropped == {2: (why, is_ours)}


async def test_what_cannot_even_be_cleared_away_hinders_nothing() -> None:
    rows = [FakeKept(1, KeyError("a"), OSError("b")), FakeKept(2)]
    keeper, peers = FakeKeeper(rows), FakePeers()
    await take_back(cast(Keeper, keeper), cast(Peers, peers))
    assert peers.back == [2]
    assert list(keeper.dropped) == [1]


async def test_without_a_store_nothing_is_taken_back() -> None:
    peers = FakePeers()
    await take_back(None, cast(Peers, peers))
    assert peers.back == []
