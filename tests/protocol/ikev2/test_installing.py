"""Child SAs on their way into the data plane and out of it, step by step."""

from __future__ import annotations

from ikeactors.iana import ExchangeType, ProtocolId
from ikeactors.protocol.actions import Action, InstallChildSa, RemoveChildSa, SendDatagram
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    DeletionRequested,
    KernelRefused,
    RekeyRequested,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.installing import RETIRED_FOR, InstallOffered
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.timers import Timer
from ikeactors.wire.payload import Delete
from tests.pair import End, Pair
from tests.protocol.forging import sealed, sent_by


def established() -> Pair:
    return Pair().establish()


def handled(pair: Pair, end: End, event: object) -> list[Action]:
    """The actions of one step, which nobody carries out."""
    return end.association.handle(event, pair.now)  # type: ignore[arg-type]


def asked(actions: list[Action]) -> InstallChildSa:
    (install,) = [one for one in actions if isinstance(one, InstallChildSa)]
    return install


def request_arrives(pair: Pair) -> list[Action]:
    """West's request to rekey is with east, whose data plane takes its time."""
    pair.give(pair.west, RekeyRequested(child="net"))
    return handled(pair, pair.east, pair.flights.pop().datagram)


def test_the_answer_waits_for_the_data_plane() -> None:
    pair = established()
    actions = request_arrives(pair)
    assert not [one for one in actions if isinstance(one, SendDatagram)]
    after = handled(pair, pair.east, ChildSaInstalled(asked(actions).ticket))
    assert len([one for one in after if isinstance(one, SendDatagram)]) == 1


def test_a_request_that_comes_again_meanwhile_is_not_served_twice() -> None:
    pair = established()
    pair.give(pair.west, RekeyRequested(child="net"))
    datagram = pair.flights.pop().datagram
    asked(handled(pair, pair.east, datagram))
    assert not [
        one for one in handled(pair, pair.east, datagram) if isinstance(one, InstallChildSa)
    ]


def test_the_inbound_sa_of_a_successor_comes_first_and_its_policies_with_it() -> None:
    pair = established()
    install = asked(request_arrives(pair))
    assert len(install.sas) == 1
    assert len(install.policies) == 3
    old = [one for one in pair.east.association.children if one.state is ChildState.REKEYED]
    assert len(old) == 1


def test_a_ticket_is_good_once() -> None:
    pair = established()
    install = asked(request_arrives(pair))
    handled(pair, pair.east, ChildSaInstalled(install.ticket))
    assert handled(pair, pair.east, ChildSaInstalled(install.ticket)) == []
    assert handled(pair, pair.east, KernelRefused(install.ticket, 1, "late")) == []


def test_an_ike_sa_that_ends_meanwhile_takes_out_what_was_asked_for() -> None:
    pair = established()
    install = asked(request_arrives(pair))
    octets = sealed(pair.west, ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),))
    handled(pair, pair.east, sent_by(pair, pair.west, octets))
    pair.east.association.close("the test ends it")
    actions = pair.east.association.outbox.take()
    removed = {sa for one in actions if isinstance(one, RemoveChildSa) for sa in one.sas}
    assert {sa.sa_id for sa in install.sas} <= removed
    assert handled(pair, pair.east, ChildSaInstalled(install.ticket)) == []


def test_a_deleted_child_sa_is_received_through_for_a_while() -> None:
    pair = established()
    (one,) = pair.west.association.children
    pair.give(pair.west, DeletionRequested(child="net"))
    pair.settle()
    assert set(pair.west.sas) == {one.inbound.sa_id}
    pair.pass_time(RETIRED_FOR - 0.1)
    assert set(pair.west.sas) == {one.inbound.sa_id}
    pair.pass_time(0.2)
    assert not pair.west.sas
    assert not pair.west.policies


def test_a_refused_child_sa_claims_nothing_of_the_one_it_was_to_replace() -> None:
    """H13"""
    pair = established()
    before = list(pair.west.policies)
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.deliver(pair.flights[0])
    answer = pair.flights.pop().datagram
    assert isinstance(answer, DatagramReceived)
    install = asked(handled(pair, pair.west, answer))
    actions = handled(pair, pair.west, KernelRefused(install.ticket, 12, "out of memory"))
    assert not [one for one in actions if isinstance(one, RemoveChildSa)]
    assert pair.west.policies == before


def test_a_child_sa_that_is_deleted_and_then_refused_leaves_no_timer_behind() -> None:
    pair = established()
    (old,) = pair.east.association.children
    pair.slow = []
    pair.east.refuse = lambda _: "out of memory"
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.deliver(pair.flights[0])
    pair.give(pair.east, DeletionRequested(child="net"))
    pair.settle()
    pair.hurry()
    children = pair.east.association.children
    assert list(children) == [old]
    running = [key for key, _ in pair.east.association.timers.running]
    retired = [number for timer, number in running if timer is Timer.CHILD_RETIRE]
    assert retired == [old.number]


def test_a_rival_that_is_deleted_already_is_not_made_redundant() -> None:
    pair = established()
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.settle()
    association = pair.east.association
    (rival,) = [one for one in association.children if one.state is ChildState.RETIRED]
    (child,) = [one for one in association.children if one is not rival]
    child.state = ChildState.INSTALLING
    InstallOffered(child, Request(None), rival=rival).resumed(association, ChildSaInstalled(0))
    assert rival.state is ChildState.RETIRED
