"""A recording that is run again gives the same actions, octet for octet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.recording.replay import replay
from tests.pair import ike
from tests.protocol.recording.pairs import Reel, recorded_pair


def lived(seed: str = "0") -> tuple[Reel, Reel]:
    """Both ends of an association from its beginning to its end."""
    pair, west, east = recorded_pair(seed=seed)
    pair.establish()
    pair.give(pair.west, RekeyRequested("net", request_id=2))
    pair.give(pair.east, RekeyRequested("net"))
    pair.settle()
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    pair.pass_time(4000.0)
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    return west, east


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_each_step_gives_the_same_actions(seed: str) -> None:
    for reel in lived(seed):
        assert reel.beginning is not None
        replayed = list(replay(reel.beginning, reel.steps))
        assert [one.difference for one in replayed] == [""] * len(reel.steps)
        assert [list(one.actions) for one in replayed] == [list(one.actions) for one in reel.steps]


def test_it_ends_where_actions_differ() -> None:
    west, _ = lived()
    assert west.beginning is not None
    step = west.steps[0]
    other = tuple(
        replace(one, octets=b"") if isinstance(one, SendDatagram) else one for one in step.actions
    )
    replayed = list(replay(west.beginning, [replace(step, actions=other), *west.steps[1:]]))
    assert len(replayed) == 1
    assert replayed[0].difference.startswith("action 4: recorded SendDatagram(octets=b''")


def test_actions_too_many_or_too_few_differ() -> None:
    west, _ = lived()
    assert west.beginning is not None
    step = west.steps[0]
    (replayed,) = replay(west.beginning, [replace(step, actions=step.actions[:-1])])
    assert (
        replayed.difference == f"recorded {len(step.actions) - 1} actions, now {len(step.actions)}"
    )


def test_chance_that_is_not_drawn_any_more_differs() -> None:
    west, _ = lived()
    assert west.beginning is not None
    step = west.steps[0]
    more = replace(step, answers=(*step.answers, ("4 octets", b"1234")))
    (replayed,) = replay(west.beginning, [more])
    assert replayed.difference == "1 things are not asked for any more"


def test_another_configuration_differs() -> None:
    west, _ = lived()
    assert west.beginning is not None
    assert west.beginning.connection is not None
    proposals = ike("aes256gcm16-prfsha384-x25519")
    changed = replace(west.beginning.connection, proposals=proposals)
    (replayed,) = replay(replace(west.beginning, connection=changed), west.steps[:1])
    assert replayed.difference.startswith("action ")


def test_a_recorded_crash_that_does_not_happen_differs() -> None:
    west, _ = lived()
    assert west.beginning is not None
    (replayed,) = replay(west.beginning, [replace(west.steps[0], actions=None)])
    assert replayed.difference == "the recorded step crashed, and this one does not"
