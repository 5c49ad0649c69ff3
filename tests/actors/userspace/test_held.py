"""Packets that wait for an SA: how many, for how long, and how often they ask for one."""

from __future__ import annotations

from ikeactors.actors.userspace.held import (
    ASK_AGAIN_AFTER,
    HELD_FOR,
    MAX_ASKED,
    MAX_HELD,
    Held,
)
from ikeactors.kernel.policies import key_of
from tests.fakes.sas import policy

KEY = key_of(policy())


def everything(packet: bytes) -> bool:
    return True


def test_the_first_packet_asks_and_those_behind_it_wait() -> None:
    held = Held()
    assert [held.hold(KEY, bytes((one,)), 0.0) for one in range(3)] == [True, False, False]
    assert held.take(1.0, everything) == [b"\0", b"\1", b"\2"]
    assert not len(held)


def test_it_is_asked_again_after_a_while_or_when_there_was_an_sa() -> None:
    held = Held()
    held.hold(KEY, b"one", 0.0)
    assert not held.hold(KEY, b"two", ASK_AGAIN_AFTER - 0.1)
    assert held.hold(KEY, b"three", ASK_AGAIN_AFTER)
    held.settle(KEY)
    assert held.hold(KEY, b"four", ASK_AGAIN_AFTER + 0.1)


def test_what_has_no_sa_yet_waits_on_and_not_for_ever() -> None:
    held = Held()
    held.hold(KEY, b"old", 0.0)
    held.hold(KEY, b"young", 5.0)
    assert held.take(6.0, lambda packet: False) == []
    assert held.take(HELD_FOR, everything) == [b"young"]


def test_of_too_many_packets_the_oldest_give_way() -> None:
    held = Held()
    for number in range(MAX_HELD + 2):
        held.hold(KEY, number.to_bytes(2, "big"), 0.0)
    taken = held.take(0.0, everything)
    assert len(taken) == MAX_HELD
    assert taken[0] == b"\0\2"


def test_not_every_policy_that_ever_asked_is_remembered() -> None:
    held = Held()
    for number in range(MAX_ASKED + 1):
        assert held.hold(KEY._replace(if_id=number), b"", 0.0)
    assert held.hold(KEY, b"", 0.0)
