"""Child SAs that are negotiated later."""

from __future__ import annotations

import pytest

from ikeactors.protocol.events import DeletionRequested
from ikeactors.protocol.ikev2.wanting import FAILED_WAIT
from ikeactors.protocol.settings import StartAction
from tests.pair import Pair, child, connection


def refused(action: StartAction, end: str) -> Pair:
    """Two ends with an IKE SA; the data plane of one has refused the Child SA, and is good now."""
    one = child(start_action=action, rekey_time=0.0, life_time=0.0)
    pair = Pair(connection(children=(one,), rekey_time=0.0, dpd_delay=0.0))
    refusing = getattr(pair, end)
    refusing.refuse = lambda _: True
    pair.initiate(request_id=None)
    pair.settle()
    refusing.refuse = lambda _: False
    assert not pair.west.sas
    return pair


@pytest.mark.parametrize("end", ["west", "east"])
@pytest.mark.parametrize("action", StartAction)
def test_a_child_sa_that_is_to_be_up_always_is_tried_again_when_it_was_refused(
    action: StartAction, end: str
) -> None:
    pair = refused(action, end)
    pair.pass_time(2 * FAILED_WAIT + 10.0)
    assert bool(pair.west.association.children.named("net")) is action.starts
    assert not pair.west.association.children.wanted


def test_it_is_tried_no_more_when_an_operator_does_not_want_it() -> None:
    pair = refused(StartAction.START, "east")
    pair.give(pair.west, DeletionRequested("net", request_id=3))
    assert not pair.west.association.children.wanted
    pair.pass_time(2 * FAILED_WAIT + 10.0)
    assert not pair.west.association.children.named("net")
