"""Two ends, a network that loses, doubles and reorders, and operators who ask for anything.

Whatever happens: no step raises, every request is answered once, and when the network is good
again both data planes hold the same. Deletes that overtake the answer they delete are not among it.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ikeactors.protocol.events import (
    InitiationRequested,
    RekeyRequested,
    SaExpired,
)
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

    @rule(west=st.booleans(), place=st.integers(0, 3))
    def expire(self, west: bool, place: int) -> None:
        end = self._end(west)
        if end.sas:
            sa_id = list(end.sas)[place % len(end.sas)]
            self.pair.give(end, SaExpired(sa_id, hard=False))

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

    def teardown(self) -> None:
        pair = self.pair
        for end in pair.ends():
            end.refuse = lambda action: ""
        pair.settle()
        pair.pass_time(120)
        pair.assert_mirrored()
        answered = [one.request_id for end in pair.ends() for one in end.answers]
        assert sorted(answered) == list(range(1, self.asked + 1))
        ours, theirs = (end.association.ike_sa.keys.sk_d for end in pair.ends())
        assert ours == theirs
        for end in pair.ends():
            assert len(end.policies) == 3 * len(end.sas) / 2


TwoEnds.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestTwoEnds = TwoEnds.TestCase
