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
from ikeactors.protocol.settings import DownAction, Unique
from ikeactors.wire.identities import Identity
from tests.fakes.associations import (
    HELLO,
    FakeAssociation,
    Step,
    close,
    crash,
    establish,
    fail,
    ignore,
)
from tests.fakes.peers import LOCAL, REMOTE, World, connection

SPI = b"ourspi.."
ELSEWHERE = Endpoint(ip_address("192.0.2.3"), 500)


def first_request(spi_i: bytes = b"initiatr", remote: Endpoint = REMOTE) -> DatagramReceived:
    header = struct.pack(">8s8sBBBBII", spi_i, bytes(8), 33, 0x20, 34, 0x08, 0, 28)
    return DatagramReceived(header, LOCAL, remote)


def doing(*actions: Action, then: Step = ignore) -> Step:
    """A step that asks for these, and what another one does."""

    def step(association: FakeAssociation, event: Event) -> Sequence[Action]:
        return [*actions, *then(association, event)]

    return step


settled = trio.testing.wait_all_tasks_blocked


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


async def test_a_crash_starts_that_negotiation_again_and_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    other = connection("other", remote="192.0.2.3")
    world = World([[establish], [establish, crash], [establish]], (connection(), other))
    async with world.running():
        bystander = world.peers.initiate("other")
        await settled()
        number = world.peers.initiate("net", ("child",), request_id=3)
        await settled()
        world.peers.send(number, RekeyRequested(request_id=4))
        await settled()
        assert world.peers.statistics().resting == 1
        await trio.sleep(1)
        assert world.peers.numbers_of("net") == [number]
        assert world.peers.numbers_of("other") == [bystander]
        statistics = world.peers.statistics()
        assert (statistics.established, statistics.crashes) == (2, 1)
    _, crashed, successor = world.associations.made
    assert len(world.associations.made[0].events) == 1
    assert successor.events == [InitiationRequested(("child",), 3)]
    assert crashed is not successor


async def test_the_tunnels_of_a_crashed_association_stay_until_its_successor_stands(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[establish, crash], [ignore, establish]])
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(1)
        assert len(world.associations.made) == 2
        assert world.forgotten == []
        world.peers.send(number, RekeyRequested())
        await settled()
        assert world.forgotten == [1]


async def test_answers_to_a_crashed_association_do_not_reach_its_successor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[doing(InstallChildSa(5, ())), crash], [ignore]], kernel_delay=10.0)
    async with world.running():
        number = world.peers.initiate("net")
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(20)
    first, second = world.associations.made
    assert first.events[-1] == RekeyRequested()
    assert second.events == [InitiationRequested()]


async def test_an_established_responder_that_crashes_calls_its_peer_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def name_and_establish(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.connection_name = "net"
        association.children = ("child",)
        return establish(association, event)

    world = World([[name_and_establish, crash], [establish]])
    async with world.running():
        world.peers.respond(first_request())
        await settled()
        (number,) = world.peers.numbers_of("net")
        world.peers.send(number, RekeyRequested())
        await trio.sleep(1)
        assert world.peers.statistics().established == 1
    assert world.associations.made[1].events == [InitiationRequested(("child",))]
    assert world.associations.ends[1] == (LOCAL, REMOTE)


async def test_an_association_that_keeps_crashing_is_parked_until_it_is_brought_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[crash]] * 6 + [[establish]])
    ticket = world.answers.expect(3)
    async with world.running():
        number = world.peers.initiate("net", request_id=3)
        answer = await ticket()
        assert not answer.succeeded
        assert "crashed 6 times within 60 s" in answer.text
        await trio.sleep(3600)
        assert world.peers.statistics().parked == 1
        assert len(world.associations.made) == 6
        assert "parked" in world.peers.failures()["net"]
        assert world.peers.initiate("net") == number
        await settled()
        statistics = world.peers.statistics()
        assert (statistics.parked, statistics.established) == (0, 1)
    assert (await world.told()).count("association-parked") == 1


async def test_rare_crashes_do_not_park(autojump_clock: trio.testing.MockClock) -> None:
    world = World([[establish, crash]] * 10 + [[establish]])
    async with world.running():
        number = world.peers.initiate("net")
        for _ in range(10):
            await trio.sleep(61)
            world.peers.send(number, RekeyRequested())
        await trio.sleep(61)
        assert world.peers.statistics().established == 1


async def test_children_to_start_are_tried_again_with_back_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[fail]] * 4 + [[establish]], (connection(start=True),))
    async with world.running():
        began = trio.current_time()
        world.peers.start_configured()
        await trio.sleep(60)
        assert world.peers.failures() == {}
    assert [round(at - began) for at in world.associations.made_at] == [0, 1, 3, 7, 15]


async def test_keyingtries_bounds_the_attempts(autojump_clock: trio.testing.MockClock) -> None:
    world = World([[fail]], (connection(start=True, keyingtries=3),))
    async with world.running():
        world.peers.start_configured()
        await trio.sleep(3600)
        assert world.peers.failures() == {"net": "no answer"}
        assert world.peers.statistics().associations == 0
    assert len(world.associations.made) == 3
    assert "association-given-up" in await world.told()


@pytest.mark.parametrize(
    ("start", "close_action", "dpd_action", "end", "comes_back"),
    [
        (True, DownAction.CLEAR, DownAction.CLEAR, close, True),
        (True, DownAction.CLEAR, DownAction.CLEAR, fail, True),
        (False, DownAction.CLEAR, DownAction.CLEAR, close, False),
        (False, DownAction.START, DownAction.CLEAR, close, True),
        (False, DownAction.START, DownAction.CLEAR, fail, False),
        (False, DownAction.CLEAR, DownAction.START, fail, True),
        (False, DownAction.CLEAR, DownAction.START, close, False),
    ],
)
async def test_what_is_lost_comes_back_as_its_actions_say(
    autojump_clock: trio.testing.MockClock,
    start: bool,
    close_action: DownAction,
    dpd_action: DownAction,
    end: Step,
    comes_back: bool,
) -> None:
    one = connection(start=start, close_action=close_action, dpd_action=dpd_action)
    world = World([[establish, end], [establish]], (one,))
    async with world.running():
        number = world.peers.initiate("net", ("child",))
        await settled()
        world.peers.send(number, RekeyRequested())
        await trio.sleep(10)
        assert world.peers.statistics().established == int(comes_back)


async def test_what_an_operator_took_down_stays_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[establish, close]], (connection(start=True),))
    async with world.running():
        world.peers.start_configured()
        await settled()
        (number,) = world.peers.numbers_of("net")
        world.peers.send(number, DeletionRequested())
        await trio.sleep(3600)
        assert world.peers.numbers_of("net") == []
    assert len(world.associations.made) == 1


async def test_a_negotiation_that_rests_can_be_called_off_or_hurried(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World([[fail]], (connection(start=True),))
    ticket = world.answers.expect(5)
    async with world.running():
        world.peers.start_configured()
        await trio.sleep(100)
        resting = len(world.associations.made)
        number = world.peers.initiate("net")
        await settled()
        assert len(world.associations.made) == resting + 1
        world.peers.send(number, DeletionRequested(request_id=5))
        assert (await ticket()).succeeded
        assert world.peers.numbers_of("net") == []


async def test_a_resting_negotiation_leaves_it_to_the_peer_that_came_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def come_back(association: FakeAssociation, event: Event) -> Sequence[Action]:
        association.connection_name = "net"
        association.children = ("child",)
        return establish(association, event)

    world = World([[fail], [come_back]], (connection(start=True),))
    async with world.running():
        world.peers.start_configured()
        await settled()
        world.peers.respond(first_request())
        await trio.sleep(60)
        assert len(world.peers.numbers_of("net")) == 1
    assert len(world.associations.made) == 2


async def test_no_route_is_a_failure_that_is_told(autojump_clock: trio.testing.MockClock) -> None:
    world = World(source=None)
    ticket = world.answers.expect(1)
    async with world.running():
        world.peers.initiate("net", request_id=1)
        answer = await ticket()
    assert (answer.succeeded, answer.text) == (False, "no route leads to 192.0.2.2:500")


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


async def test_who_is_called_by_a_name_is_looked_up_for_each_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    named = replace(connection("net", start=True), remote_addrs=(), remote_names=("gw",))
    world = World([[fail], [establish]], connections=(named,))
    world.names = {}
    async with world.running():
        world.peers.initiate("net")
        await trio.testing.wait_all_tasks_blocked()
        assert world.associations.made == []
        assert world.peers.failures() == {"net": "gw does not resolve: NXDOMAIN"}
        world.names["gw"] = (ip_address("192.0.2.8"), ip_address("192.0.2.9"))
        await trio.sleep(60)
        assert [remote.address for _, remote in world.associations.ends] == [
            ip_address("192.0.2.9"),
            ip_address("192.0.2.8"),
        ]


async def test_a_connection_that_names_several_places_is_called_at_none() -> None:
    several = replace(connection("net"), remote_names=("gw",))
    world = World(connections=(several,))
    with pytest.raises(ValueError, match="no single remote address"):
        world.peers.initiate("net")
