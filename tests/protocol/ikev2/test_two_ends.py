"""Two ends, a network that loses, doubles and reorders, and operators who ask for anything.

Whatever happens: no step raises, every request is answered once, reports of a child alternate,
and some minutes after the network is good again and the children are wanted, there is one IKE SA
and one Child SA for each child, the same at both ends.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ikeactors.protocol.events import (
    DeletionRequested,
    InitiationRequested,
    RekeyRequested,
    SaExpired,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from ikeactors.protocol.settings import Retransmission
from tests.pair import End, Pair, child, connection, selectors

NAMES = ("net", "more")
TWO = connection(
    children=(child("net"), child("more", local_ts=selectors("10.3.0.0/16"))),
    retransmission=Retransmission(timeout=1.0, base=1.0, tries=60),
)


class TwoEnds(RuleBasedStateMachine):
    """What can happen between two ends, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(TWO).establish()
        self.asked = 1

    def _end(self, west: bool) -> End:
        return self.pair.west if west else self.pair.east

    def _request_id(self) -> int:
        self.asked += 1
        return self.asked

    @rule(west=st.booleans(), name=st.sampled_from(NAMES))
    def rekey_child(self, west: bool, name: str) -> None:
        event = RekeyRequested(name, None, self._request_id())
        self.pair.give(self._end(west), event)

    @rule(west=st.booleans())
    def rekey_ike_sa(self, west: bool) -> None:
        self.pair.give(self._end(west), RekeyRequested(request_id=self._request_id()))

    @rule(west=st.booleans(), name=st.sampled_from(NAMES))
    def initiate(self, west: bool, name: str) -> None:
        event = InitiationRequested((name,), self._request_id())
        self.pair.give(self._end(west), event)

    @rule(name=st.sampled_from(NAMES))
    def rekey_child_at_both(self, name: str) -> None:
        for end in self.pair.ends():
            self.pair.give(end, RekeyRequested(name, None, self._request_id()))

    @rule()
    def rekey_ike_sa_at_both(self) -> None:
        for end in self.pair.ends():
            self.pair.give(end, RekeyRequested(request_id=self._request_id()))

    @rule(west=st.booleans(), name=st.sampled_from(NAMES))
    def delete_child(self, west: bool, name: str) -> None:
        self.pair.give(self._end(west), DeletionRequested(name, None, self._request_id()))

    @rule(west=st.booleans(), place=st.integers(0, 3), hard=st.booleans())
    def expire(self, west: bool, place: int, hard: bool) -> None:
        end = self._end(west)
        if end.sas:
            sa_id = list(end.sas)[place % len(end.sas)]
            self.pair.give(end, SaExpired(sa_id, hard=hard))

    @rule(west=st.booleans(), refuses=st.booleans())
    def data_plane(self, west: bool, refuses: bool) -> None:
        self._end(west).refuse = lambda action: "no" if refuses and len(action.sas) == 2 else ""

    @precondition(lambda self: self.pair.flights)
    @rule(place=st.integers(0, 5))
    def deliver(self, place: int) -> None:
        self.pair.deliver(self.pair.flights[place % len(self.pair.flights)])

    @precondition(lambda self: self.pair.flights)
    @rule(place=st.integers(0, 5))
    def double(self, place: int) -> None:
        flight = self.pair.flights[place % len(self.pair.flights)]
        self.pair.give(flight.receiver, flight.datagram)

    @precondition(lambda self: self.pair.flights)
    @rule(place=st.integers(0, 5))
    def lose(self, place: int) -> None:
        del self.pair.flights[place % len(self.pair.flights)]

    @rule()
    def settle(self) -> None:
        self.pair.settle()

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.pair.pass_time(seconds)

    @invariant()
    def nothing_is_there_twice(self) -> None:
        for end in self.pair.ends():
            assert not end.association.closed
            assert len(end.association.children) <= 40

    @invariant()
    def reports_of_a_child_alternate(self) -> None:
        for end in self.pair.ends():
            for name in NAMES:
                assert_alternate(end, name)

    def teardown(self) -> None:
        pair = self.pair
        for end in pair.ends():
            end.refuse = lambda action: ""
        pair.settle()
        pair.pass_time(120)
        pair.give(pair.west, InitiationRequested((), self._request_id()))
        pair.settle()
        pair.pass_time(300)
        pair.assert_mirrored()
        answered = [one.request_id for end in pair.ends() for one in end.answers]
        assert sorted(answered) == list(range(1, self.asked + 1))
        ours, theirs = (end.association.ike_sa.keys.sk_d for end in pair.ends())
        assert ours == theirs
        for end in pair.ends():
            assert sorted(one.name for one in end.association.children) == sorted(NAMES)
            assert all(one.state is ChildState.INSTALLED for one in end.association.children)
            assert len(end.sas) == 4
            assert len(end.policies) == 6
            assert len(end.association.ike_sas._by_spi) == 1
            assert end.association.ike_sa.state is IkeSaState.ESTABLISHED


def assert_alternate(end: End, name: str) -> None:
    """A child comes up, goes down, and is rekeyed only in between."""
    is_up = False
    for report in end.reports:
        if report.details.get("child") != name:
            continue
        if report.name == "child-sa-up":
            assert not is_up
            is_up = True
        elif report.name == "child-sa-down":
            assert is_up
            is_up = False
        elif report.name == "child-sa-rekeyed":
            assert is_up


TwoEnds.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestTwoEnds = TwoEnds.TestCase
