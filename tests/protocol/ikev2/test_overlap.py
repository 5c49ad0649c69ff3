"""Two IKE SAs of one peer beside each other: what becomes of them when something comes between."""

from __future__ import annotations

from ikeactors.iana import PayloadType
from ikeactors.protocol.actions import HandOver, Reauthenticate
from ikeactors.protocol.events import (
    RekeyRequested,
    RenewalGivenUp,
    Renewed,
    Restored,
    Superseded,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.overlap import SettledInitiator, send_instead
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.retransmission import patience
from ikeactors.protocol.timers import Timer
from tests.pair import Pair, connection
from tests.protocol.ikev2.test_reauthentication import Renewing

NOTHING = Opened(PayloadType.NONE, b"")


def test_what_another_begins_in_its_place_does_not_put_its_end_off() -> None:
    pair = Pair().establish()
    for _ in range(3):
        pair.give(pair.east, Renewed(ends=True))
        pair.pass_time(7)
    assert pair.east.association.closed
    assert pair.west.association.closed


def test_one_that_is_on_its_way_out_goes_whoever_comes_in_its_place() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    pair.settle()
    pair.give(pair.west, Superseded(silent=False))
    pair.give(pair.west, Renewed(ends=True))
    pair.give(pair.west, RenewalGivenUp())
    pair.pass_time(2)
    assert pair.west.association.closed


def test_it_goes_on_when_the_peer_has_given_up_what_came_in_its_place() -> None:
    pair = Pair(connection(rekey_time=0.0)).establish()
    pair.give(pair.east, Renewed(ends=True))
    pair.pass_time(5)
    pair.give(pair.east, RenewalGivenUp())
    pair.give(pair.east, RekeyRequested(child="net", request_id=8))
    pair.settle()
    assert pair.east.answers[-1].succeeded
    pair.pass_time(60)
    assert pair.east.association.established


def test_it_takes_the_place_of_the_older_though_it_is_rekeyed_before_it_says_so() -> None:
    """The peer deletes the IKE SA on which our request waits for its answer."""
    pair = Renewing(Pair(connection(dpd_delay=0.0)).establish())
    pair.begin()
    west = pair.west.association
    while not west.established:
        pair.deliver(pair.flights[0])
    pair.drop()
    former = west.ike_sa
    west.timers.stop(Timer.RETRANSMIT, former.number)
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    assert HandOver() not in pair.west.actions
    pair.pass_time(11)
    assert west.ike_sa is not former
    assert HandOver() in pair.west.actions


def test_a_responder_that_has_asked_asks_again_when_the_peer_has_rekeyed() -> None:
    pair = Renewing(Pair(connection(dpd_delay=0.0)).establish())
    pair.begin()
    west, east = pair.west.association, pair.east.association
    while not west.established:
        pair.deliver(pair.flights[0])
    pair.drop()
    # A peer that does not say when all of its Child SAs stand.
    west.ike_sa.requests.abandoned()
    west.ike_sa.requests.next_id -= 1
    pair.pass_time(patience(east.connection.retransmission) + 1, deliver=False)
    pair.drop()
    former = east.ike_sa
    east.timers.stop(Timer.RETRANSMIT, former.number)
    assert len(pair.east.sas) == 1
    pair.give(pair.west, RekeyRequested())
    pair.settle()
    pair.pass_time(11)
    assert east.ike_sa is not former
    assert len(pair.east.sas) == 2


def test_an_answer_older_than_a_child_sa_does_not_say_that_the_peer_receives_by_it() -> None:
    pair = Renewing(Pair(connection(dpd_delay=0.0)).establish())
    pair.begin()
    east = pair.east.association
    while not pair.west.association.established:
        pair.deliver(pair.flights[0])
    (child,) = east.children
    settled = SettledInitiator()
    settled.answered(east, east.ike_sa, NOTHING, ())
    send_instead(east, child, child)
    assert not child.outbound_installed
    east.timers.stop(Timer.OVERLAP)
    settled.answered(east, east.ike_sa, NOTHING, ())
    assert child.outbound_installed


def test_what_has_told_nobody_who_we_are_goes_for_one_of_the_peers() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    pair.give(pair.west, Superseded(silent=False, unproven=True))
    assert pair.west.association.closed
    assert not pair.west.association.failure


def test_what_the_peer_may_know_does_not_go_for_one_of_the_peers() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    while not pair.east.association.established:
        pair.deliver(pair.flights[0])
    pair.give(pair.west, Superseded(silent=False, unproven=True))
    pair.settle()
    assert HandOver() in pair.west.actions


def test_a_reauthentication_of_which_nothing_is_heard_begins_again() -> None:
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0, over_time=500.0)).establish()
    pair.pass_time(1001)
    assert len(reauthentications(pair)) == 1
    pair.pass_time(301)
    assert len(reauthentications(pair)) == 2


def reauthentications(pair: Pair) -> list[Reauthenticate]:
    return [one for one in pair.west.actions if isinstance(one, Reauthenticate)]


def reauthenticated() -> Renewing:
    """All its Child SAs stand, and the peer has not heard of that."""
    pair = Renewing(Pair(connection(dpd_delay=0.0)).establish())
    pair.begin()
    while not pair.west.association.established:
        pair.deliver(pair.flights[0])
    pair.west.actions.clear()
    return pair


def test_after_a_restart_it_takes_the_place_of_the_older_if_all_stands() -> None:
    pair = reauthenticated()
    reqids = tuple(one.reqid for one in pair.west.association.children)
    pair.give(pair.west, Restored())
    assert HandOver(reqids) in pair.west.actions


def test_after_a_restart_it_goes_if_something_is_missing() -> None:
    pair = reauthenticated()
    (one,) = pair.west.association.children
    one.state = ChildState.DELETING
    pair.give(pair.west, Restored())
    pair.settle()
    assert not [one for one in pair.west.actions if isinstance(one, HandOver)]
    pair.pass_time(2)
    assert pair.west.association.closed


def test_after_a_restart_a_responder_leaves_it_to_its_peer() -> None:
    pair = reauthenticated()
    pair.give(pair.east, Restored())
    pair.settle()
    assert not [one for one in pair.east.actions if isinstance(one, HandOver)]
    pair.pass_time(5)
    assert pair.east.association.established
