"""What is asked within a step goes through a tape, all of it."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address

import pytest

from ikeactors.protocol.actions import Level
from ikeactors.protocol.recording.tape import (
    AnsweringTape,
    Diverged,
    NotingTape,
    constants_of,
    taped_settings,
    taped_surroundings,
)
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.wire.identities import Identity
from tests.pair import EAST, WEST, SeededEntropy, connection, settings_of

US, THEM = Identity.from_text("us"), Identity.from_text("them")


def asked_for_everything(surroundings: Surroundings, settings: Settings) -> list[object]:
    return [
        surroundings.entropy.octets(4),
        surroundings.half_open_timeout(),
        surroundings.refusals.take(1.0),
        surroundings.complaints.take(1.0),
        surroundings.stands(US, THEM),
        surroundings.is_up("gw", EAST.address),
        surroundings.token_of(b"1" * 8, b"2" * 8, True),
        surroundings.holds(US, 5),
        surroundings.auth_difficulty(),
        surroundings.addresses(),
        surroundings.source_for(EAST.address),
        settings.candidates(WEST.address, EAST.address),
        settings.candidates(WEST.address, ip_address("203.0.113.9")),
        settings.connection("gw"),
        settings.secret_for(US, THEM),
    ]


def test_what_was_noted_is_answered_without_the_surroundings() -> None:
    settings, surroundings = settings_of(connection(), b"psk"), Surroundings(SeededEntropy("0"))
    noting, answering = NotingTape(), AnsweringTape()
    first = asked_for_everything(
        taped_surroundings(noting, surroundings), taped_settings(noting, settings)
    )
    answering.load(noting.take())
    again = asked_for_everything(
        taped_surroundings(answering, Surroundings(SeededEntropy("another"))),
        taped_settings(answering, Settings()),
    )
    assert again == first
    assert answering.left == 0
    assert noting.take() == ()


def test_each_of_the_surroundings_is_a_constant_or_goes_through_the_tape() -> None:
    surroundings = Surroundings(SeededEntropy("0"))
    taped = taped_surroundings(NotingTape(), surroundings)
    constants = constants_of(surroundings)
    for one in dataclasses.fields(surroundings):
        same = getattr(taped, one.name) is getattr(surroundings, one.name)
        assert same == (one.name in constants), one.name


def test_everything_is_heard_on_a_tape() -> None:
    deaf = Surroundings(SeededEntropy("0"), is_heard=lambda level, connection: False)
    assert taped_surroundings(NotingTape(), deaf).is_heard(Level.DEBUG, "gw")


def test_another_question_is_a_divergence() -> None:
    tape = AnsweringTape()
    tape.load((("4 octets", b"1234"),))
    with pytest.raises(Diverged, match="asks for 8 octets, where 4 octets was asked for"):
        taped_surroundings(tape, Surroundings(SeededEntropy("0"))).entropy.octets(8)
    with pytest.raises(Diverged, match="nothing more was asked for"):
        tape.ask("another", lambda: None)
