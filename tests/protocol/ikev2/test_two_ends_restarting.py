"""The two ends of `test_two_ends`, either of which may be killed at any time, or its data plane."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ikeactors.protocol.events import InitiationRequested
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from tests.protocol.ikev2.test_two_ends import NAMES, TWO, TwoEnds
from tests.protocol.restarts import DurablePair


class RestartingEnds(TwoEnds):
    """What can happen between two ends that do not last."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = DurablePair(TWO).establish()

    @rule(forgets=st.booleans(), loses_plane=st.booleans(), west=st.booleans())
    def kill(self, forgets: bool, loses_plane: bool, west: bool) -> None:
        self.pair.forgets, self.pair.loses_plane = forgets, loses_plane
        assert self.pair.kill(self._end(west))
        self.pair.loses_plane = False

    def initiate(self, west: bool, name: str) -> None:
        """Not here: what both ends create at once is a matter of its own, without any kill."""

    @rule()
    def be_slow(self) -> None:
        self.pair.slow = self.pair.slow or []

    @precondition(lambda self: self.pair.slow)
    @rule()
    def answer_slowly(self) -> None:
        end, _ = self.pair.slow[0]
        self.pair.answer_slowly(end)

    def reports_of_a_child_alternate(self) -> None:
        """A report may be lost with a kill, or come again."""

    def teardown(self) -> None:
        pair = self.pair
        for end in pair.ends():
            end.refuse = lambda action: ""
        pair.hurry()
        pair.settle()
        pair.pass_time(120)
        pair.give(pair.west, InitiationRequested((), self._request_id()))
        pair.settle()
        pair.pass_time(600)
        pair.assert_mirrored()
        ours, theirs = (end.association.ike_sa.keys.sk_d for end in pair.ends())
        assert ours == theirs
        for end in pair.ends():
            assert sorted(one.name for one in end.association.children) == sorted(NAMES)
            assert all(one.state is ChildState.INSTALLED for one in end.association.children)
            assert len(tuple(end.association.ike_sas)) == 1
            assert end.association.ike_sa.state is IkeSaState.ESTABLISHED


RestartingEnds.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestRestartingEnds = RestartingEnds.TestCase
