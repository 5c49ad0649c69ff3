"""An association that is recorded does what it does otherwise."""

from __future__ import annotations

import pytest

from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import InitiationRequested
from ikeactors.protocol.recording.making import recorded
from ikeactors.protocol.recording.recorded import RecordedAssociation
from ikeactors.protocol.recording.tape import NotingTape
from ikeactors.protocol.surroundings import Surroundings
from tests.fakes.associations import FakeAssociation, Injected, crash
from tests.pair import EAST, WEST, Pair, SeededEntropy, connection
from tests.protocol.recording.pairs import Reel, recorded_pair


def test_a_recorded_end_says_octet_for_octet_what_another_says() -> None:
    plain = Pair().establish()
    pair, _, _ = recorded_pair()
    pair.establish()
    assert pair.west.actions == plain.west.actions
    assert pair.east.actions == plain.east.actions


def test_what_nobody_hears_is_recorded_and_goes_no_further() -> None:
    pair, reel = Pair(), Reel()
    deaf = Surroundings(SeededEntropy("0"), is_heard=lambda level, _: level >= Level.WARNING)
    association = recorded(pair.west_settings, connection(), (WEST, EAST), deaf, reel.begin)
    actions = association.handle(InitiationRequested(), 1.0)
    assert not any(isinstance(action, Report) for action in actions)
    (step,) = reel.steps
    assert step.actions is not None
    assert len(step.actions) > len(actions)
    assert association.deadline < 10.0


def test_a_step_that_crashes_is_recorded_and_crashes() -> None:
    reel = Reel()
    core = FakeAssociation([crash])
    association = RecordedAssociation(core, NotingTape(), reel.keep, lambda level, name: True)
    with pytest.raises(Injected):
        association.handle(InitiationRequested(), 1.0)
    (step,) = reel.steps
    assert step.event == InitiationRequested()
    assert step.actions is None


def test_no_secret_is_shown() -> None:
    pair, west, _ = recorded_pair()
    pair.establish()
    assert "a secret of thirty-two" not in repr(west.steps)
