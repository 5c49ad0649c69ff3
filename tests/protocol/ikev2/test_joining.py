"""Operators who ask for what is on its way already, and what goes before what waits."""

from __future__ import annotations

import pytest

from ikeactors.protocol.actions import Action, AnswerRequest, InstallChildSa
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DeletionRequested,
    InitiationRequested,
    KernelRefused,
    RekeyRequested,
)
from tests.pair import End, Pair, child, connection, opposite, selectors


def handled(pair: Pair, end: End, event: object) -> list[Action]:
    """The actions of one step, which nobody carries out."""
    return end.association.handle(event, pair.now)  # type: ignore[arg-type]


def answers(actions: list[Action]) -> list[AnswerRequest]:
    return [one for one in actions if isinstance(one, AnswerRequest)]


@pytest.mark.parametrize("comes_about", [True, False])
def test_who_wants_what_is_being_installed_hears_when_it_is(comes_about: bool) -> None:
    pair = Pair().establish()
    pair.give(pair.east, DeletionRequested(child="net"))
    pair.settle()
    pair.give(pair.east, InitiationRequested(("net",)))
    actions = handled(pair, pair.west, pair.flights.pop().datagram)
    (install,) = [one for one in actions if isinstance(one, InstallChildSa)]
    asked = InitiationRequested(("net",), request_id=7)
    assert not answers(handled(pair, pair.west, asked))
    ticket = install.ticket
    reply = ChildSaInstalled(ticket) if comes_about else KernelRefused(ticket, 12, "no room")
    (answer,) = answers(handled(pair, pair.west, reply))
    assert (answer.request_id, answer.succeeded) == (7, comes_about)
    assert answer.text == ("" if comes_about else "it did not come about")


def test_what_is_replaced_is_deleted_before_whatever_waits_for_its_turn() -> None:
    names = ("one", "two", "three")
    children = tuple(
        child(
            name,
            local_ts=selectors(f"10.1.{number}.0/24"),
            remote_ts=selectors(f"10.2.{number}.0/24"),
        )
        for number, name in enumerate(names)
    )
    west = connection(children=children)
    pair = Pair(west, opposite(west)).establish()
    begun = len(pair.trace)
    for name in names:
        pair.give(pair.west, RekeyRequested(name))
    pair.settle()
    asked = [line for line in pair.trace[begun:] if line.startswith("-->")]
    kinds = ["D" if "{D}" in line else "rekey" for line in asked]
    # The second is on its way when the data plane has the first.
    assert kinds == ["rekey", "rekey", "D", "D", "rekey", "D"]
