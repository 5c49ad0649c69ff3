"""Reauthentication among the peers: a new association beside the old one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.actors.peer import Peer
from ikeactors.actors.registry import PeerRegistry
from ikeactors.actors.succession import Renewal
from ikeactors.protocol.actions import (
    Action,
    BeginAgain,
    ClaimIdentity,
    HandOver,
    Reauthenticate,
    SendDatagram,
)
from ikeactors.protocol.events import (
    DeletionRequested,
    Event,
    IdentityClaimed,
    InitiationRequested,
    OlderEnded,
    ReauthenticationFailed,
    RenewalGivenUp,
    Superseded,
)
from ikeactors.protocol.settings import Unique
from ikeactors.wire.identities import Identity
from tests.fakes.associations import (
    LOCAL,
    REMOTE,
    FakeAssociation,
    crash,
    establish,
    fail,
    ignore,
    snapshot,
)
from tests.fakes.peers import World

US, THEM = Identity.from_text("a.lab"), Identity.from_text("b.lab")
ELSEWHERE = replace(REMOTE, address=ip_address("192.0.2.99"))
CHILDREN = snapshot("net", ["child"]).children


def claiming(unique: Unique = Unique.REPLACE):
    def step(association: FakeAssociation, event: Event) -> Sequence[Action]:
        establish(association, event)
        association.children = ("child",)
        return [ClaimIdentity(1, US, THEM, unique, False, initiated=True, began_at=1, claimed_at=2)]

    return step


def reauthenticate(_: FakeAssociation, __: Event) -> Sequence[Action]:
    return [Reauthenticate(CHILDREN, None)]


def hand_over(_: FakeAssociation, __: Event) -> Sequence[Action]:
    return [HandOver()]


def leave(association: FakeAssociation, event: Event) -> Sequence[Action]:
    association.closed = isinstance(event, Superseded)
    return []


def roam(_: FakeAssociation, __: Event) -> Sequence[Action]:
    return [SendDatagram(b"x", LOCAL, one) for one in (REMOTE, ELSEWHERE)]


async def test_a_claim_goes_where_the_peer_goes(autojump_clock: trio.testing.MockClock) -> None:
    world = World([[claiming(Unique.NEVER), roam, ignore]])
    async with world.running():
        old = world.peers.initiate("net")
        await trio.sleep(1)
        never = ClaimIdentity(2, US, THEM, Unique.NEVER, False, began_at=3)
        there = replace(never, place=ELSEWHERE.address)
        verdict = world.registry.claims.claim(old + 1, there, lambda number: number == old)
        assert verdict.renewed == (old,)


async def test_a_new_association_takes_the_place_of_the_old(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[claiming(), reauthenticate, leave], [claiming(), hand_over, ignore]])
    async with world.running():
        old = world.peers.initiate("net")
        await trio.sleep(1)
        (left,) = world.peers.numbers_of("net")
        assert left != old
        assert len(world.registry.succession) == 0
    first, second = world.associations.made
    assert isinstance(first.events[-1], Superseded)
    assert second.events[0] == InitiationRequested(("child",), None, CHILDREN)
    assert IdentityClaimed(1, True, CHILDREN) in second.events
    assert second.events[-1] == OlderEnded()


async def test_the_old_association_hears_that_the_new_one_failed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for last, text in ((fail, "no answer"), (crash, "the new association crashed")):
        world = World([[claiming(), reauthenticate], [last]])
        async with world.running():
            old = world.peers.initiate("net")
            await trio.sleep(1)
            assert world.peers.numbers_of("net") == [old]
        told = world.associations.made[0].events[-1]
        assert isinstance(told, ReauthenticationFailed)
        assert told.text == text
        assert told.retry_in


async def test_one_reauthentication_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    script = [claiming(), lambda *_: [Reauthenticate(CHILDREN, None)] * 2]
    world = World([script, [ignore]])
    async with world.running():
        world.peers.initiate("net")
        await trio.sleep(1)
        assert len(world.associations.made) == 2


async def test_break_before_make_begins_anew_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def begin_again(association: FakeAssociation, _: Event) -> Sequence[Action]:
        association.closed = True
        return [BeginAgain(("child",), None)]

    world = World([[establish, begin_again], [establish]])
    async with world.running():
        number = world.peers.initiate("net")
        await trio.sleep(0.5)
        world.peers.send(number, OlderEnded())
        await trio.sleep(0.5)
        assert world.peers.numbers_of("net") == [number]
    assert world.associations.made[1].events == [InitiationRequested(("child",))]


@pytest.mark.parametrize("crashes", [False, True])
async def test_what_had_no_child_sa_begins_anew_without_one(
    autojump_clock: trio.testing.MockClock, crashes: bool
) -> None:
    def begin_again(association: FakeAssociation, _: Event) -> Sequence[Action]:
        association.closed = True
        return [BeginAgain((), None)]

    def crash(association: FakeAssociation, _: Event) -> Sequence[Action]:
        raise RuntimeError("on purpose")

    lives = [[establish, begin_again], *([[crash]] if crashes else []), [establish]]
    world = World(lives)
    async with world.running():
        number = world.peers.initiate("net")
        await trio.sleep(0.5)
        world.peers.send(number, OlderEnded())
        await trio.sleep(5)
        assert world.peers.numbers_of("net") == [number]
    anew = [one.events for one in world.associations.made[1:]]
    assert anew == [[InitiationRequested(childless=True)]] * (1 + crashes)


def claims(number: int, initiated: bool, nonce: bytes) -> ClaimIdentity:
    return ClaimIdentity(1, US, THEM, Unique.NO, False, initiated, 1.0, 2.0 + number, nonce)


async def test_the_end_of_one_that_crossed_it_is_not_that_of_the_older_one() -> None:
    """Both ends reauthenticate at once: ours stays, and the peer's goes first."""
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    for peer, nonce in ((theirs, b"1"), (ours, b"2")):
        registry.claim(peer, replace(claims(9, peer is ours, nonce), began_at=5.0))
    ours.mailbox.drain()
    registry.release(theirs)
    assert OlderEnded() not in ours.mailbox.drain()
    registry.release(older)
    assert OlderEnded() in ours.mailbox.drain()


async def test_ours_does_not_begin_when_the_peer_has_reauthenticated_meanwhile() -> None:
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    registry.claim(theirs, replace(claims(9, initiated=False, nonce=b"1"), began_at=9.0))
    assert ours.dismissed
    assert registry.succession.successor(older.number) == theirs.number


async def test_who_is_about_to_be_replaced_hears_nothing_of_the_end_of_an_older_one() -> None:
    """The peer has given up one reauthentication, and begun another."""
    registry = World().registry
    older, given_up, theirs = peers = [Peer(number, "net") for number in (1, 2, 3)]
    for peer in peers:
        peer.remote = REMOTE
        registry.census.add(peer)
        claim = claims(peer.number, initiated=peer is older, nonce=b"0")
        registry.claim(peer, replace(claim, began_at=10.0 * peer.number))
    given_up.mailbox.drain()
    registry.release(older)
    assert OlderEnded() not in given_up.mailbox.drain()
    assert OlderEnded() not in theirs.mailbox.drain()
    registry.release(given_up)
    assert OlderEnded() in theirs.mailbox.drain()


def renewed() -> tuple[PeerRegistry, Peer, Peer]:
    """An association, and what its peer has begun in its place."""
    registry = World().registry
    older, theirs = peers = [Peer(number, "net") for number in (1, 2)]
    for peer in peers:
        peer.remote, peer.established = REMOTE, True
        registry.census.add(peer)
        claim = replace(claims(peer.number, False, b"0"), unique=Unique.KEEP)
        registry.claim(peer, replace(claim, began_at=10.0 * peer.number))
    assert older.dismissed
    assert older.superseded_by == theirs.number
    older.mailbox.drain()
    return registry, older, theirs


async def test_who_was_to_be_replaced_goes_on_when_the_peer_gives_that_up() -> None:
    registry, older, theirs = renewed()
    registry.release(theirs)
    assert not registry.renewal_failed(theirs, "the peer deleted it", lambda _: 1.0)
    assert not older.dismissed
    assert not older.superseded_by
    assert RenewalGivenUp() in older.mailbox.drain()


async def test_who_is_dismissed_by_another_does_not_go_on() -> None:
    registry, older, theirs = renewed()
    older.superseded_by = 7
    registry.renewal_failed(theirs, "the peer deleted it", lambda _: 1.0)
    assert older.dismissed


async def test_when_all_stop_nobody_goes_on() -> None:
    registry, older, theirs = renewed()
    registry.stopping = True
    registry.renewal_failed(theirs, "the peer deleted it", lambda _: 1.0)
    assert older.dismissed


async def test_who_is_taken_down_by_an_operator_is_left_to_nobody() -> None:
    world = World([[claiming(), ignore]])
    async with world.running():
        number = world.peers.initiate("net")
        await trio.testing.wait_all_tasks_blocked()
        peer = world.registry.census.find(number)
        assert peer is not None
        peer.superseded_by = 7
        world.peers.send(number, DeletionRequested())
        assert peer.dismissed
        assert not peer.superseded_by


@pytest.mark.parametrize("ours_first", [True, False])
async def test_what_the_peer_begins_before_ours_has_taken_its_place_crosses_it(
    ours_first: bool,
) -> None:
    """The peer's request was long under way: here ours stands before it comes, and there not."""
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    ours.spis = (b"12345678",)
    registry.claim(ours, replace(claims(9, True, b"1" if ours_first else b"3"), began_at=5.0))
    registry.claim(theirs, replace(claims(9, False, b"2"), began_at=20.0))
    assert ours.dismissed is ours_first
    assert not theirs.dismissed


async def test_what_has_crossed_another_that_stands_is_not_told_that_the_older_is_gone() -> None:
    """Ours took the place of the older one, and the peer's may not be heard of there yet."""
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    registry.claim(ours, replace(claims(9, True, b"2"), began_at=5.0))
    registry.hand_over(ours, HandOver())
    registry.claim(theirs, replace(claims(10, False, b"1"), began_at=6.0))
    registry.release(older)
    assert OlderEnded() not in theirs.mailbox.drain()
    registry.release(ours)
    assert OlderEnded() in theirs.mailbox.drain()


async def test_after_a_restart_the_older_is_known_by_what_its_child_sas_are_for() -> None:
    registry = World().registry
    older, ours, another = (Peer(number, "net") for number in (1, 2, 3))
    for peer, reqid in ((older, 7), (another, 8), (ours, 7)):
        child = replace(CHILDREN[0], reqid=reqid)
        peer.shown = replace(snapshot("net", ["child"]), children=(child,))
        peer.association = FakeAssociation([])
        registry.census.add(peer)
    registry.hand_over(ours, HandOver((7,)))
    assert older.mailbox.drain() == [Superseded(silent=False, gently=True)]
    assert not another.mailbox.drain()
    assert not ours.mailbox.drain()


async def test_what_stood_before_a_restart_renews_nobody() -> None:
    registry = World().registry
    older, restored = (Peer(number, "net") for number in (1, 2))
    for peer in (older, restored):
        peer.remote = REMOTE
        registry.census.add(peer)
        registry.claim(peer, replace(claims(peer.number, False, b""), ticket=0, began_at=9.0))
    assert not registry.succession.is_under_way(older.number)


async def test_ours_that_has_begun_is_told_that_the_peers_stands() -> None:
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    ours.spis = (b"12345678",)
    registry.claim(theirs, replace(claims(9, initiated=False, nonce=b"1"), began_at=9.0))
    assert not ours.dismissed
    assert ours.mailbox.drain() == [Superseded(silent=False, unproven=True)]


async def test_ours_is_told_too_where_the_peer_knows_nothing_of_the_older_one() -> None:
    """It renews what is dead: the peer, who hears of it later, would await its Delete."""
    registry = World().registry
    older, ours, theirs = (Peer(number, "net") for number in (1, 2, 3))
    for peer in (older, ours, theirs):
        peer.remote = REMOTE
        registry.census.add(peer)
    registry.claim(older, claims(1, initiated=True, nonce=b"0"))
    event = InitiationRequested(("child",), None, CHILDREN)
    registry.succession.begin(ours.number, Renewal(older.number, event))
    ours.spis = (b"12345678",)
    claim = replace(claims(9, initiated=False, nonce=b"1"), began_at=9.0, initial_contact=True)
    registry.claim(theirs, claim)
    assert older.dismissed
    assert ours.mailbox.drain() == [Superseded(silent=False, unproven=True)]
