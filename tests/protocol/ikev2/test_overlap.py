"""Two IKE SAs of one peer beside each other: what becomes of them when something comes between."""

from __future__ import annotations

from ikeactors.protocol.actions import HandOver
from ikeactors.protocol.events import RekeyRequested, RenewalGivenUp, Renewed, Superseded
from ikeactors.protocol.ikev2.retransmission import patience
from ikeactors.protocol.timers import Timer
from tests.pair import Pair, connection
from tests.protocol.ikev2.test_reauthentication import Renewing


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
