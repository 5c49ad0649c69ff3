"""All associations: who gets what, crashes, parking, children that are kept up."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.protocol.actions import (
    Action,
    AnswerRequest,
    ClaimIdentity,
    InstallChildSa,
    RegisterSpi,
    Report,
)
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    DeletionRequested,
    Endpoint,
    Event,
    IdentityClaimed,
    InitiationRequested,
    LocalAddressesChanged,
    RekeyRequested,
    Superseded,
    TimerExpired,
)
from ikeactors.protocol.settings import Unique
from ikeactors.wire.identities import Identity
from tests.fakes.associations import (
    HELLO,
    FakeAssociation,
    close,
    crash,
    doing,
    establish,
    fail,
    first_request,
    ignore,
)
from tests.fakes.peers import LOCAL, REMOTE, World, connection

settled = trio.testing.wait_all_tasks_blocked
SPI = b"ourspi.."
ELSEWHERE = Endpoint(ip_address("192.0.2.3"), 500)


async def test_an_initiation_makes_an_association_and_sends_what_it_says() -> None:
    world = World([[doing(HELLO)]])
    async with world.running():
        number = world.peers.initiate("net", ("child",), request_id=9)
        await settled()
        assert world.peers.numbers_of("net") == [number]
        assert [one for one, _ in world.peers.snapshots(0.0)] == [number]
    assert world.sender.sent == [b"hello"]
    assert world.associations.ends == [(LOCAL, REMOTE)]
    assert world.associations.made[0].events == [InitiationRequested(("child",), 9)]


async def test_a_second_initiation_goes_to_the_same_association() -> None:
    world = World([[establish]])
    async with world.running():
        first = world.peers.initiate("net")
        await settled()
        assert world.peers.initiate("net", ("child",)) == first
        await settled()
    assert len(world.associations.made) == 1
    assert world.associations.made[0].events[-1] == InitiationRequested(("child",))


async def test_unknown_names_and_peers_without_an_address_are_refused() -> None:
    anybody = replace(connection("any"), remote_addrs=())
    world = World(connections=(connection(), anybody))
    with pytest.raises(LookupError, match="no connection 'nat'"):
        world.peers.initiate("nat")
    with pytest.raises(LookupError, match="no child 'kid'"):
        world.peers.initiate("net", ("kid",))
    with pytest.raises(ValueError, match="no single remote address"):
        world.peers.initiate("any")
    with pytest.raises(LookupError, match="no association 77"):
        world.peers.send(77, RekeyRequested())


async def test_a_stranger_that_was_let_in_gets_a_half_open_responder() -> None:
    world = World([[ignore, establish]])
    async with world.running():
        world.peers.respond(first_request())
        await settled()
        assert (world.peers.half_open, world.peers.half_open_of(REMOTE.address)) == (1, 1)
        world.router.deliver(first_request())
        await settled()
        assert (world.peers.half_open, world.peers.half_open_of(REMOTE.address)) == (0, 0)
        world.router.deliver(first_request())
        assert world.router.statistics().waiting == 1
    assert world.associations.made[0].events == [first_request()] * 2


@pytest.mark.parametrize(
    ("address", "counts"),
    [
        ("2001:db8:0:1:ffff::9", 2),
        ("2001:db8:0:1::1", 2),
        ("2001:db8:0:2::1", 1),
        ("2001:db8::1", 0),
        ("192.0.2.77", 1),
        ("192.0.2.78", 0),
        ("0.0.0.1", 0),
    ],
)
async def test_half_open_responders_are_counted_by_address_or_network(
    address: str, counts: int
) -> None:
    """J5 (RFC 8019 section 4.2)"""
    world = World([[ignore]] * 4)
    origins = ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", "192.0.2.77")
    async with world.running():
        for number, origin in enumerate(origins):
            remote = Endpoint(ip_address(origin), 500)
            world.peers.respond(first_request(bytes((number,)) * 8, remote))
        await settled()
        assert world.peers.half_open == len(origins)
        assert world.peers.half_open_of(ip_address(address)) == counts


async def test_a_responder_that_fails_or_crashes_half_open_is_forgotten() -> None:
    for last in (fail, crash, close):
        world = World([[last]], (connection(start=True),))
        async with world.running():
            world.peers.respond(first_request())
            await settled()
            assert (world.peers.half_open, world.peers.statistics().associations) == (0, 0)
        assert len(world.associations.made) == 1
        assert world.forgotten == [1]


async def test_messages_to_a_registered_spi_reach_the_association() -> None:
    world = World([[doing(RegisterSpi(SPI))]])
    header = struct.pack(">8s8sBBBBII", SPI, b"peersspi", 46, 0x20, 37, 0x20, 0, 28)
    message = DatagramReceived(header, LOCAL, REMOTE)
    async with world.running():
        world.peers.initiate("net")
        await settled()
        world.router.deliver(message)
        await settled()
    assert world.associations.made[0].events[-1] == message


async def test_deadlines_are_told(autojump_clock: trio.testing.MockClock) -> None:
    def wait(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.deadline = trio.current_time() + 7
        return []

    def note(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.deadline = float("inf")
        return [Report("rung", str(round(trio.current_time() - began)))]

    world = World([[wait, note]])
    began = trio.current_time()
    async with world.running():
        world.peers.initiate("net")
        await trio.sleep(10)
    assert world.associations.made[0].events[1:] == [TimerExpired()]


async def test_the_kernels_answer_comes_back_as_an_event() -> None:
    world = World([[doing(InstallChildSa(5, ()))]])
    async with world.running():
        world.peers.initiate("net")
        await settled()
    assert world.associations.made[0].events[-1] == ChildSaInstalled(5)


async def test_a_slow_step_runs_in_a_worker_and_the_association_is_still_shown() -> None:
    world = World([[establish, ignore]])
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.associations.made[0].slow = True
        world.peers.send(number, RekeyRequested())
        await settled()
    assert world.workers.statistics().done == 1


async def test_requests_of_an_association_that_ended_are_answered() -> None:
    world = World([[establish, fail]])
    ticket, deletion = world.answers.expect(1), world.answers.expect(2)
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.send(number, RekeyRequested(request_id=1))
        world.peers.send(number, DeletionRequested(request_id=2))
        answers = [await ticket(), await deletion()]
    assert [answer.succeeded for answer in answers] == [False, True]


async def test_an_association_answers_its_operator() -> None:
    world = World([[doing(AnswerRequest(1, True, "child is up"))]])
    ticket = world.answers.expect(1)
    async with world.running():
        world.peers.initiate("net", request_id=1)
        assert (await ticket()).text == "child is up"


async def test_a_claim_is_answered_and_the_superseded_one_goes_for_good() -> None:
    claim = ClaimIdentity(
        8, Identity.from_text("a.lab"), Identity.from_text("b.lab"), Unique.REPLACE, False
    )
    one, other = connection("one", start=True), connection("other", remote="192.0.2.3")
    world = World(
        [[doing(claim, then=establish), ignore, close], [doing(claim, then=establish)]],
        (one, other),
    )
    async with world.running():
        world.peers.initiate("one")
        await settled()
        world.peers.initiate("other")
        await settled()
        assert world.peers.numbers_of("one") == []
        await settled()
    older, newer = world.associations.made
    assert older.events[1:] == [IdentityClaimed(8, True), Superseded(silent=False)]
    assert newer.events[1:] == [IdentityClaimed(8, True)]


async def test_stop_takes_all_down_and_does_not_wait_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    other = connection("other", remote="192.0.2.3")
    world = World([[establish, close], [establish]], (connection(start=True), other))
    async with world.running():
        world.peers.start_configured()
        await settled()
        world.peers.initiate("other")
        await settled()
        began = trio.current_time()
        await world.peers.stop(2.0)
        assert trio.current_time() - began == pytest.approx(2.0)
        assert world.peers.numbers_of("net") == []
        world.peers.respond(first_request(remote=ELSEWHERE))
        assert world.peers.statistics().associations == 1
    assert world.associations.made[1].events[-1] == DeletionRequested()


async def test_established_associations_outlive_the_peers_actor() -> None:
    world = World([[establish]])
    async with world.running() as nursery:
        await settled()
        world.peers.initiate("net")
        await settled()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.peers.run)
        await settled()
        world.peers.send(world.peers.numbers_of("net")[0], RekeyRequested())
        await settled()
        assert world.peers.statistics().established == 1
        nursery.cancel_scope.cancel()
    assert len(world.associations.made) == 1
    assert world.associations.made[0].events[-1] == RekeyRequested()


async def test_the_established_hear_of_routes_and_who_rests_of_addresses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    up, resting = connection("up"), connection("resting", start=True)
    world = World([[establish], [fail]], connections=(up, resting))
    async with world.running():
        world.peers.initiate("up")
        await trio.testing.wait_all_tasks_blocked()
        world.peers.initiate("resting")
        await trio.testing.wait_all_tasks_blocked()
        first, second = world.associations.made
        await world.peers.look_around(False)
        await trio.testing.wait_all_tasks_blocked()
        assert first.events[-1] == LocalAddressesChanged()
        assert len(world.associations.made) == 2
        await world.peers.look_around(True)
        await trio.testing.wait_all_tasks_blocked()
        assert len(world.associations.made) == 3
        assert second.closed
