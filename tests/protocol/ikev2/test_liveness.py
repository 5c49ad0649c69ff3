"""A silent peer is asked whether it lives, unless its ESP says so (RFC 7296 section 2.4)."""

from __future__ import annotations

import pytest

from ikeactors.kernel.requests import Direction
from ikeactors.protocol.actions import QueryUsage
from ikeactors.protocol.events import DeletionRequested, RekeyRequested, TimerExpired, UsageReported
from ikeactors.protocol.settings import Retransmission
from tests.pair import End, Pair, connection, opposite

DELAY = 30.0


@pytest.fixture
def pair() -> Pair:
    west = connection(dpd_delay=DELAY, rekey_time=0.0, retransmission=Retransmission(tries=1))
    return watched(Pair(west, opposite(connection(rekey_time=0.0))))


def watched(pair: Pair) -> Pair:
    pair.establish()
    pair.trace.clear()
    return pair


def hear(end: End, octets: int = 100, direction: Direction = Direction.IN) -> None:
    """ESP goes through the newest SA of this direction."""
    sa_id = [one for one, sa in end.sas.items() if sa.direction is direction][-1]
    end.octets[sa_id] = end.octets.get(sa_id, 0) + octets


def queries(end: End) -> list[QueryUsage]:
    return [one for one in end.actions if isinstance(one, QueryUsage)]


def test_a_peer_whose_esp_comes_in_is_not_asked(pair: Pair) -> None:
    """(RFC 7296 section 2.4)"""
    for _ in range(10):
        hear(pair.west)
        pair.pass_time(DELAY)
    assert pair.trace == []
    assert len(queries(pair.west)) == 10


def test_a_peer_whose_esp_stops_is_asked(pair: Pair) -> None:
    hear(pair.west)
    pair.pass_time(DELAY)
    assert pair.trace == []
    pair.pass_time(DELAY)
    assert pair.trace == ["--> HDR, SK {}", "<-- HDR, SK {}"]
    hear(pair.west)
    pair.pass_time(DELAY)
    assert len(pair.trace) == 2


def test_what_we_send_says_nothing_of_the_peer(pair: Pair) -> None:
    hear(pair.west, direction=Direction.OUT)
    pair.pass_time(DELAY)
    assert pair.trace == ["--> HDR, SK {}", "<-- HDR, SK {}"]
    (query,) = queries(pair.west)
    assert [pair.west.sas[one].direction for one in query.sa_ids] == [Direction.IN]


def test_the_data_plane_is_not_asked_while_ike_messages_come(pair: Pair) -> None:
    for _ in range(10):
        pair.pass_time(DELAY / 2)
        pair.give(pair.east, RekeyRequested())
        pair.settle()
    assert queries(pair.west) == []


def test_a_peer_without_child_sas_is_asked_at_once(pair: Pair) -> None:
    pair.give(pair.west, DeletionRequested(child="net"))
    pair.settle()
    pair.pass_time(6)
    pair.trace.clear()
    pair.pass_time(DELAY)
    assert queries(pair.west) == []
    assert pair.trace == ["--> HDR, SK {}", "<-- HDR, SK {}"]


def test_a_dead_peer_is_noticed_after_its_last_traffic(pair: Pair) -> None:
    hear(pair.west)
    pair.pass_time(DELAY, deliver=False)
    pair.pass_time(DELAY + 12, deliver=False)
    assert pair.west.association.closed
    assert "does not answer INFORMATIONAL" in pair.west.association.failure


def test_a_rekeyed_child_sa_is_looked_at_like_any(pair: Pair) -> None:
    hear(pair.west, 100_000)
    pair.pass_time(DELAY)
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.settle()
    pair.pass_time(DELAY + 1)
    pair.trace.clear()
    for _ in range(3):
        hear(pair.west, 10)
        pair.pass_time(DELAY)
    assert pair.trace == []


def test_an_answer_that_the_peer_has_overtaken_changes_nothing(pair: Pair) -> None:
    pair.now += DELAY
    asked = pair.west.association.handle(TimerExpired(), pair.now)
    (query,) = [one for one in asked if isinstance(one, QueryUsage)]
    pair.now += 1
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    pair.trace.clear()
    for _ in range(2):
        pair.give(pair.west, UsageReported(query.ticket, ()))
    assert pair.trace == []
