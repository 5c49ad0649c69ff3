"""Events about SAs whose installation is not answered yet."""

from __future__ import annotations

from ikeactors.actors.early_events import LIMIT, EarlyEvents
from ikeactors.protocol.events import SaExpired
from tests.fakes.sas import sa

ONE, OTHER = sa(0x1000), sa(0x2000)


def expired(sa_request=ONE) -> SaExpired:
    return SaExpired(sa_request.sa_id, hard=True)


def test_what_is_about_the_sas_under_way_is_kept_once() -> None:
    told: list[object] = []
    early = EarlyEvents(told.append)
    early.expect((ONE,))
    early.keep(expired())
    early.keep(expired(OTHER))
    early.carry()
    early.carry()
    assert told == [expired()]


def test_what_was_kept_for_a_refused_command_is_of_no_use() -> None:
    told: list[object] = []
    early = EarlyEvents(told.append)
    early.expect((ONE,))
    early.keep(expired())
    early.expect((OTHER,))
    early.carry()
    assert told == []


def test_no_more_is_kept_than_can_be_of_use() -> None:
    told: list[object] = []
    early = EarlyEvents(told.append)
    early.expect((ONE,))
    for _ in range(2 * LIMIT):
        early.keep(expired())
    early.carry()
    assert len(told) == LIMIT
