"""Who follows a child is told when it goes up and down, and of nothing in between."""

from __future__ import annotations

from ikeactors.protocol.actions import FollowChildSa, UnfollowChildSa
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from tests.pair import EAST, WEST, Pair, child, connection, opposite
from tests.protocol.restarts import DurablePair


def told(end):
    return [one for one in end.actions if isinstance(one, FollowChildSa | UnfollowChildSa)]


def followed(**changes):
    return connection(children=(child(updown="/x", **changes),))


def test_up_is_told_once_with_the_facts_and_down_once():
    west = followed()
    pair = Pair(west, opposite(connection())).establish()
    pair.give(pair.west, RekeyRequested("net"))
    pair.settle()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    up, down = told(pair.west)
    settings = west.children[0]
    assert up == FollowChildSa(
        connection="gw",
        settings=settings,
        number=up.number,
        local=WEST,
        remote=EAST,
        local_id="west.example",
        remote_id="east.example",
        local_ts=tuple(one.selector for one in settings.local_ts),
        remote_ts=tuple(one.selector for one in settings.remote_ts),
        protocol=up.protocol,
        reqid=up.reqid,
        encapsulated=False,
    )
    assert down == UnfollowChildSa("net")


def test_the_responder_is_followed_as_well():
    east = opposite(connection(children=(child(nft_set="ip/a/b"),)))
    pair = Pair(connection(), east).establish()
    assert [type(one) for one in told(pair.east)] == [FollowChildSa]


def test_after_a_restart_it_is_told_again_as_such():
    pair = DurablePair(followed(), opposite(connection())).establish()
    pair.west.actions.clear()
    assert pair.kill(pair.west)
    pair.settle()
    assert [one.again for one in told(pair.west)] == [True]


def test_whom_nobody_follows_is_not_told_of():
    pair = Pair().establish()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    assert told(pair.west) == told(pair.east) == []
