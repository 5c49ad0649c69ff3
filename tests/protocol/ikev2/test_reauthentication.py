"""Reauthentication as each association sees it: the old one, the new one, and the peer's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.actions import BeginAgain, HandOver, InstallChildSa, Reauthenticate
from ikeactors.protocol.choices import Childless
from ikeactors.protocol.events import (
    DeletionRequested,
    IdentityClaimed,
    InitiationRequested,
    OlderEnded,
    ReauthenticationFailed,
    RekeyRequested,
    Renewed,
    Superseded,
    TimerExpired,
)
from ikeactors.protocol.ikev2 import informational, wanting
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.reauthentication import announced_lifetime
from ikeactors.protocol.ikev2.retransmission import patience
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.protocol.timers import Timer
from ikeactors.wire.notify import write_u32
from ikeactors.wire.payload import Notify
from tests.pair import End, Pair, child, connection, opposite, selectors

TWO = (child(), child("web", local_ts=selectors("10.3.0.0/16")))


def asked(end: End) -> list[Reauthenticate]:
    return [one for one in end.actions if isinstance(one, Reauthenticate)]


def snapshots(end: End, now: float) -> tuple[ChildSnapshot, ...]:
    return end.association.snapshot(now).children


class Renewing(Pair):
    """A pair whose western end reauthenticates what another pair has; east sees it likewise."""

    def __init__(self, older: Pair, *, is_noticed: bool = True) -> None:
        super().__init__(older.west.association.connection, seed="anew")
        self.older = older
        self.is_noticed = is_noticed

    def _carry_out(self, end, action):
        event = super()._carry_out(end, action)
        if isinstance(event, IdentityClaimed) and end is self.east and self.is_noticed:
            beside = snapshots(self.older.east, self.now)
            return IdentityClaimed(event.ticket, event.granted, beside)
        return event

    def begin(self) -> None:
        beside = snapshots(self.older.west, self.now)
        names = tuple(one.name for one in beside)
        self.give(self.west, InitiationRequested(names, 1, beside))


def test_the_initiator_reauthenticates_in_time() -> None:
    """The responder only ends the old IKE SA (RFC 7296 section 2.8.3)."""
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0, rand_time=100.0)).establish()
    west, east = pair.west.association, pair.east.association
    assert 900 <= west.timers.due_at(Timer.IKE_REAUTH) - pair.now <= 1000
    assert east.timers.due_at(Timer.IKE_REAUTH) == float("inf")
    assert 900 <= (west.snapshot(pair.now).reauthenticate_in or 0) <= 1000
    pair.pass_time(1001)
    (action,) = asked(pair.west)
    assert [one.name for one in action.children] == ["net"]
    assert not asked(pair.east)
    assert west.established


@pytest.mark.parametrize("end", ["west", "east"])
def test_what_is_not_reauthenticated_in_time_is_deleted(end: str) -> None:
    west = connection(rekey_time=0.0, reauth_time=1000.0, over_time=100.0, dpd_delay=0.0)
    pair = Pair(west).establish()
    getattr(pair, end).association.timers.stop(Timer.AUTH_EXPIRE)
    pair.pass_time(1099)
    assert pair.west.association.established
    pair.pass_time(2)
    assert pair.west.association.closed
    assert pair.east.association.closed


def test_rekeying_does_not_put_reauthentication_off() -> None:
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0)).establish()
    due_at = pair.west.association.timers.due_at(Timer.IKE_REAUTH)
    pair.pass_time(10)
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    assert pair.west.association.timers.due_at(Timer.IKE_REAUTH) == due_at


def test_break_before_make_deletes_and_begins_again() -> None:
    one = connection(rekey_time=0.0, reauth_time=1000.0, make_before_break=False, children=TWO)
    pair = Pair(one).establish()
    pair.pass_time(1001)
    assert pair.west.association.closed
    assert pair.east.association.closed
    (action,) = [one for one in pair.west.actions if isinstance(one, BeginAgain)]
    assert action == BeginAgain(("net", "web"), None)


def test_an_operator_asks_for_it_at_either_end() -> None:
    pair = Pair().establish()
    for end in pair.ends():
        pair.give(end, RekeyRequested(request_id=7, reauthenticate=True))
        (action,) = asked(end)
        assert action.request_id == 7


def test_while_the_ike_sa_is_rekeyed_it_waits() -> None:
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0)).establish()
    pair.now += 1000
    pair.give(pair.west, RekeyRequested())
    pair.to_next_timer()
    assert not asked(pair.west)
    pair.settle()
    assert len(asked(pair.west)) == 1


def test_the_old_one_goes_on_and_tries_again_when_it_failed() -> None:
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0)).establish()
    pair.pass_time(1001)
    pair.give(pair.west, ReauthenticationFailed("no answer", 30.0))
    (report,) = pair.west.said("reauthentication-failed")
    assert report.text == "reauthentication failed: no answer; again in 30 s"
    pair.pass_time(31)
    assert len(asked(pair.west)) == 2


def test_a_child_sa_on_its_way_into_the_data_plane_is_made_anew_too() -> None:
    pair = Pair(connection(rekey_time=0.0)).establish()
    pair.slow = []
    pair.give(pair.east, RekeyRequested("net"))
    pair.settle()
    west = pair.west.association
    assert [one.state for one in west.children] == [ChildState.REKEYED, ChildState.INSTALLING]
    pair.give(pair.west, RekeyRequested(reauthenticate=True))
    (action,) = asked(pair.west)
    assert [one.number for one in action.children] == [tuple(west.children)[1].number]
    assert west.established


def test_the_new_child_sas_stand_beside_the_old_ones_with_their_reqids() -> None:
    """They come before the old IKE SA goes (RFC 7296 section 2.8.3)."""
    older = Pair(connection(children=TWO)).establish()
    pair = Renewing(older)
    pair.begin()
    pair.settle()
    assert not any("N(INITIAL_CONTACT)" in one and "REKEY" in one for one in pair.trace)
    for end, old in ((pair.west, older.west), (pair.east, older.east)):
        expected = {one.name: one.reqid for one in snapshots(old, pair.now)}
        assert {one.name: one.reqid for one in snapshots(end, pair.now)} == expected
    assert HandOver() in pair.west.actions
    assert HandOver() not in pair.east.actions
    assert [one.succeeded for one in pair.west.answers] == [True]


def test_the_responder_sends_by_the_new_ones_when_it_knows_that_they_arrive() -> None:
    pair = Renewing(Pair(connection(children=TWO)).establish())
    pair.begin()
    while len(pair.east.association.children) < 2:
        pair.deliver(pair.flights[0])
    assert not any(one.outbound_installed for one in pair.east.association.children)
    pair.settle()
    assert all(one.outbound_installed for one in pair.east.association.children)
    pair.assert_mirrored()


def responding() -> Renewing:
    """A responder that has answered, whose peer has not heard of it."""
    pair = Renewing(Pair(connection(dpd_delay=0.0)).establish())
    pair.begin()
    while not len(pair.east.association.children):
        pair.deliver(pair.flights[0])
    assert len(pair.east.sas) == 1
    return pair


def test_a_responder_sends_by_the_new_ones_when_the_old_ones_are_gone() -> None:
    pair = responding()
    pair.give(pair.east, OlderEnded())
    assert len(pair.east.sas) == 2


def test_a_responder_asks_a_peer_that_says_nothing_more_whether_it_is_still_there() -> None:
    pair = responding()
    while not pair.west.association.established:
        pair.deliver(pair.flights[0])
    pair.drop()
    west = pair.west.association
    west.timers.stop(Timer.RETRANSMIT, west.ike_sa.number)
    schedule = pair.east.association.connection.retransmission
    pair.pass_time(patience(schedule) - 1, deliver=False)
    assert len(pair.east.sas) == 1
    pair.pass_time(2)
    assert len(pair.east.sas) == 2


def test_a_responder_never_sends_by_what_its_peer_has_given_up() -> None:
    pair = responding()
    pair.drop()
    pair.west.association.close("it has given up")
    pair.pass_time(2 * patience(pair.east.association.connection.retransmission), deliver=False)
    assert pair.east.association.closed
    assert len([one for one in pair.east.actions if isinstance(one, InstallChildSa)]) == 1


def test_an_error_says_nothing_of_who_can_receive() -> None:
    east = responding().east.association
    failed = (Notify(NotifyType.AUTHENTICATION_FAILED),)
    east.respond(east.ike_sa, ExchangeType.INFORMATIONAL, Opened(PayloadType.NOTIFY, b""), failed)
    assert not any(one.outbound_installed for one in east.children)


def test_while_it_is_reauthenticated_no_child_sa_is_rekeyed() -> None:
    """The successor would be the newest of all, and be sent by to the end of its IKE SA."""
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested(reauthenticate=True))
    pair.give(pair.west, RekeyRequested(child="net", request_id=7))
    assert pair.west.answers[-1].text == "the IKE SA is being reauthenticated"
    pair.give(pair.east, RekeyRequested(child="net", request_id=8))
    pair.settle()
    assert pair.east.answers[-1].text == "the peer answered TEMPORARY_FAILURE"
    pair.pass_time(16)
    pair.give(pair.west, RekeyRequested(child="net", request_id=9))
    pair.settle()
    assert pair.west.answers[-1].succeeded


def test_one_that_has_lost_takes_nobodys_place() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    while len(pair.east.sas) < 2:
        pair.deliver(pair.flights[0])
    pair.give(pair.west, Superseded(silent=False))
    pair.settle()
    assert HandOver() not in pair.west.actions


def test_a_child_sa_that_does_not_come_again_leaves_the_old_ike_sa_in_its_place() -> None:
    older = Pair(connection(children=TWO)).establish()
    pair = Renewing(older)
    pair.west.refuse = lambda action: "no room" if len(pair.west.sas) else ""
    pair.begin()
    pair.settle()
    assert HandOver() not in pair.west.actions
    assert pair.west.association.failure
    pair.pass_time(2)
    assert pair.west.association.closed
    assert pair.east.association.closed
    assert [one.succeeded for one in pair.west.answers] == [False]


def test_the_loser_of_two_at_once_stops_sending_before_it_goes() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    pair.settle()
    pair.give(pair.west, Superseded(silent=False))
    pair.settle()
    (child_sa,) = pair.west.association.children
    assert child_sa.state is ChildState.INSTALLED
    assert len(pair.west.sas) == 1
    pair.pass_time(2)
    assert pair.west.association.closed
    assert pair.east.association.closed


def test_an_old_one_has_time_to_be_deleted_by_who_reauthenticates() -> None:
    pair = Pair().establish()
    pair.give(pair.east, Renewed(ends=True))
    pair.pass_time(14)
    assert pair.east.association.established
    pair.pass_time(2)
    assert pair.east.association.closed
    assert pair.west.association.closed


def test_who_was_just_made_is_not_reauthenticated_again() -> None:
    pair = Renewing(Pair().establish())
    pair.begin()
    pair.settle()
    for end in pair.ends():
        pair.give(end, RekeyRequested(request_id=9, reauthenticate=True))
        assert not asked(end)
        assert [one.succeeded for one in end.answers if one.request_id == 9] == [True]
        pair.give(end, OlderEnded())
        pair.give(end, RekeyRequested(request_id=10, reauthenticate=True))
        assert len(asked(end)) == 1


def without_children(word: Childless, request_id: int | None) -> list[BeginAgain]:
    """What comes of the reauthentication of an IKE SA without a Child SA."""
    one = connection(rekey_time=0.0, reauth_time=1000.0, childless=word)
    pair = Pair(one, replace(opposite(one), childless=Childless.ALLOW)).establish()
    pair.give(pair.west, DeletionRequested(child="net"))
    pair.pass_time(10)
    assert not list(pair.west.association.children)
    if request_id is None:
        pair.pass_time(1001)
    else:
        pair.give(pair.west, RekeyRequested(request_id=request_id, reauthenticate=True))
        pair.settle()
    assert pair.west.association.closed
    assert pair.east.association.closed
    if word is Childless.NEVER:
        (answer,) = [one for one in pair.west.answers if one.request_id == request_id]
        assert not answer.succeeded
        assert 'childless = "never"' in answer.text
    return [one for one in pair.west.actions if isinstance(one, BeginAgain)]


@pytest.mark.parametrize("request_id", [7, None])
def test_without_a_child_sa_the_old_one_goes_first(request_id: int | None) -> None:
    """There is no traffic to lose, and the new one is to have none either."""
    assert without_children(Childless.ALLOW, request_id) == [BeginAgain((), request_id)]


def test_without_a_child_sa_it_is_deleted_where_none_may_be_without() -> None:
    assert without_children(Childless.NEVER, 7) == []


def test_a_child_that_is_to_be_tried_again_is_negotiated_by_the_new_ike_sa() -> None:
    one = connection(rekey_time=0.0, reauth_time=1000.0)
    pair = Pair(one).establish()
    (standing,) = pair.west.association.children
    wanting.create_later(pair.west.association, standing.settings, 2000.0)
    pair.west.association.children.remove(standing)
    pair.pass_time(1001)
    assert BeginAgain(("net",), None) in pair.west.actions


def test_both_ends_may_be_configured_alike() -> None:
    one = connection(rekey_time=0.0, reauth_time=1000.0, rand_time=0.0)
    pair = Pair(one, opposite(one)).establish()
    pair.pass_time(1001)
    assert len(asked(pair.west)) == 1
    assert not asked(pair.east)


def test_nothing_is_rekeyed_that_is_about_to_be_made_anew() -> None:
    short = child(rekey_time=100.0, rand_time=0.0)
    pair = Pair(connection(rekey_time=110.0, over_time=100.0, children=(short,))).establish()
    pair.pass_time(99)
    pair.trace.clear()
    for end in pair.ends():
        pair.give(end, Renewed(ends=False))
    pair.pass_time(14)
    assert pair.trace == []
    pair.pass_time(3)
    assert pair.trace


def test_an_operator_hears_that_it_was_deleted_before_its_turn() -> None:
    pair = Pair().establish()
    pair.give(pair.west, DeletionRequested(request_id=2))
    pair.give(pair.west, RekeyRequested(request_id=3, reauthenticate=True))
    pair.settle()
    assert {one.request_id: one.succeeded for one in pair.west.answers[1:]} == {2: True, 3: False}


def test_two_who_ask_while_it_is_busy_are_one_reauthentication_after_the_other() -> None:
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested("net"))
    for number in (2, 3):
        pair.give(pair.west, RekeyRequested(request_id=number, reauthenticate=True))
    assert not asked(pair.west)
    pair.settle()
    assert [one.request_id for one in asked(pair.west)] == [2, 3]


def test_a_responder_tells_its_lifetime_and_the_initiator_keeps_it() -> None:
    """The responder says how long authentication is good (RFC 4478 section 3)."""
    west = connection(rekey_time=0.0)
    pair = Pair(west, opposite(replace(west, reauth_time=600.0, over_time=60.0))).establish()
    assert "AUTH_LIFETIME" in pair.trace[3]
    due_in = pair.west.association.timers.due_at(Timer.IKE_REAUTH) - pair.now
    assert 540 <= due_in < 600
    assert pair.west.said("auth-lifetime")
    assert pair.east.association.timers.due_at(Timer.IKE_REAUTH) == float("inf")
    pair.pass_time(661)
    assert len(asked(pair.west)) == 1
    assert pair.east.association.closed


@pytest.mark.parametrize(
    ("told", "earliest", "latest"),
    [(100, 90, 95), (12, 6, 9), (0, 5, 5), (2**32 - 1, 900, 950)],
)
def test_a_lifetime_told_later_is_kept_by_the_initiator(
    told: int, earliest: float, latest: float
) -> None:
    """It may come in INFORMATIONAL, at any time (RFC 4478 section 2)."""
    pair = Pair(connection(rekey_time=0.0, reauth_time=1000.0, rand_time=0.0)).establish()
    payloads = (Notify(NotifyType.AUTH_LIFETIME, write_u32(told)),)
    for association in (pair.west.association, pair.east.association):
        before = association.timers.due_at(Timer.IKE_REAUTH)
        informational.respond(
            association, association.ike_sa, Opened(PayloadType.NONE, b""), payloads
        )
        due_in = association.timers.due_at(Timer.IKE_REAUTH) - pair.now
        if association is pair.east.association:
            assert association.timers.due_at(Timer.IKE_REAUTH) == before
        else:
            assert earliest <= due_in <= latest


def test_a_lifetime_that_is_no_number_ends_the_ike_sa() -> None:
    with pytest.raises(InvalidSyntax):
        announced_lifetime((Notify(NotifyType.AUTH_LIFETIME, b"\0\0\1"),))


@pytest.mark.parametrize("timer", [Timer.CHILD_REKEY, Timer.IKE_REKEY])
def test_what_was_held_back_is_done_when_all_timers_are_late(timer: Timer) -> None:
    """After a pause everything is due at once, whatever comes first."""
    pair = Pair().establish()
    west = pair.west.association
    (child_sa,) = west.children
    number = child_sa.number if timer is Timer.CHILD_REKEY else 0
    pair.give(pair.west, Renewed(ends=False))
    west.timers.start(timer, west.timers.due_at(Timer.RENEWED), number)
    pair.now += 100
    pair.give(pair.west, TimerExpired())
    assert len(pair.west.association.ike_sa.requests.outstanding) == 1
