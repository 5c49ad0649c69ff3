"""Who is to take whose place."""

from __future__ import annotations

from ikeactors.actors.succession import Renewal, Succession
from ikeactors.protocol.events import InitiationRequested

RENEWAL = Renewal(1, InitiationRequested())


def test_a_renewal_is_known_until_it_is_complete() -> None:
    succession = Succession()
    succession.begin(2, RENEWAL)
    assert succession.is_under_way(1)
    assert succession.find(2) == RENEWAL
    assert succession.complete(2) == RENEWAL
    assert succession.find(2) is None
    assert succession.is_under_way(1)
    assert succession.end(1) is None
    assert len(succession) == 0


def test_a_renewal_is_open_while_the_one_that_it_renews_is_there() -> None:
    succession = Succession()
    succession.begin(2, RENEWAL)
    assert succession.is_open(2)
    assert not succession.is_open(1)
    succession.end(1)
    assert not succession.is_open(2)


def test_a_renewal_that_is_gone_may_begin_again() -> None:
    succession = Succession()
    succession.begin(2, RENEWAL)
    assert succession.end(2) == RENEWAL
    assert not succession.is_under_way(1)
    assert len(succession) == 0


def test_the_peers_renewal_of_the_same_prevails_in_the_tables() -> None:
    succession = Succession()
    succession.begin(2, RENEWAL)
    succession.note(3, (1,))
    assert succession.end(2) == RENEWAL
    assert succession.is_under_way(1)
    succession.end(3)
    assert not succession.is_under_way(1)


def test_several_may_be_replaced_by_one() -> None:
    succession = Succession()
    succession.note(3, (1, 2))
    succession.end(1)
    assert succession.is_under_way(2)
    succession.end(3)
    assert len(succession) == 0
