"""When a request is sent again, and when the peer is given up."""

from __future__ import annotations

import pytest

from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.ikev2.retransmission import wait_of
from ikeactors.protocol.settings import Retransmission
from tests.pair import End, Pair, connection

SCHEDULE = Retransmission(timeout=2.0, base=2.0, tries=4, limit=10.0)


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        (Retransmission(), [4.0, 7.2, 12.96, 23.328]),
        (SCHEDULE, [2.0, 4.0, 8.0, 10.0]),
    ],
)
def test_waits_grow_up_to_their_limit(settings: Retransmission, waits: list[float]) -> None:
    """(RFC 7296 section 2.4)"""
    assert [wait_of(settings, tries, 0.5) for tries in range(4)] == pytest.approx(waits)


def test_jitter_shortens_a_wait() -> None:
    settings = Retransmission(jitter=20)
    assert wait_of(settings, 0, 0.0) == 4.0
    assert wait_of(settings, 0, 0.5) == pytest.approx(3.6)


def sent(end: End) -> list[bytes]:
    return [one.octets for one in end.actions if isinstance(one, SendDatagram)]


def instants(pair: Pair, end: End) -> list[float]:
    """When `end` sends, from now on, if nothing arrives."""
    start, found = pair.now, []
    pair.drop()
    while not end.association.closed:
        before = len(sent(end))
        pair.to_next_timer()
        pair.drop()
        if len(sent(end)) > before:
            found.append(pair.now - start)
    found.append(pair.now - start)
    return found


def test_ike_sa_init_is_sent_again_on_schedule_and_given_up() -> None:
    pair = Pair(connection(retransmission=SCHEDULE))
    pair.initiate()
    assert instants(pair, pair.west) == pytest.approx([2.0, 6.0, 14.0, 24.0, 34.0])
    assert len(set(sent(pair.west))) == 1
    assert pair.west.association.failure == (
        "the peer 192.0.2.2:500 does not answer IKE_SA_INIT (sent 5 times from 192.0.2.1:500): "
        "it is down, unreachable, or a firewall drops UDP port 500"
    )
    (answer,) = pair.west.answers
    assert not answer.succeeded
    assert "does not answer IKE_SA_INIT" in answer.text


def test_ike_auth_is_sent_again_on_schedule_and_given_up() -> None:
    pair = Pair(connection(retransmission=SCHEDULE))
    pair.initiate()
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    assert instants(pair, pair.west) == pytest.approx([2.0, 6.0, 14.0, 24.0, 34.0])
    assert len(set(sent(pair.west))) == 2
    assert "does not answer IKE_AUTH" in pair.west.association.failure


def test_a_request_on_an_established_ike_sa_is_given_up_with_the_peer() -> None:
    pair = Pair(connection(retransmission=SCHEDULE)).establish()
    pair.give(pair.west, RekeyRequested(child="net", request_id=3))
    assert instants(pair, pair.west) == pytest.approx([2.0, 6.0, 14.0, 24.0, 34.0])
    assert "does not answer CREATE_CHILD_SA" in pair.west.association.failure
    assert pair.west.said("ike-sa-lost")
    assert not pair.west.sas
    assert not pair.west.policies
    assert not pair.west.answers[-1].succeeded


def test_each_retransmission_is_reported() -> None:
    pair = Pair(connection(retransmission=SCHEDULE))
    pair.initiate()
    pair.pass_time(7.0, deliver=False)
    assert [one.details["tries"] for one in pair.west.said("retransmitted")] == [1, 2]


def test_no_tries_means_one_request() -> None:
    pair = Pair(connection(retransmission=Retransmission(tries=0)))
    pair.initiate()
    assert instants(pair, pair.west) == pytest.approx([4.0])


def test_an_answer_in_the_last_moment_is_good() -> None:
    pair = Pair(connection(retransmission=SCHEDULE))
    pair.initiate()
    first = pair.flights[0]
    pair.pass_time(33.9, deliver=False)
    pair.flights.append(first)
    pair.settle()
    assert pair.west.association.established
    pair.assert_mirrored()


def test_what_is_sent_again_is_the_same_octet_for_octet() -> None:
    """(RFC 7296 sections 2.1 and 2.2)"""
    pair = Pair(connection(retransmission=SCHEDULE)).establish()
    before = len(sent(pair.west))
    pair.give(pair.west, RekeyRequested(child="net"))
    instants(pair, pair.west)
    requests = sent(pair.west)[before:]
    assert len(requests) == 5
    assert len(set(requests)) == 1


def test_a_responder_repeats_nothing_by_itself() -> None:
    """(RFC 7296 section 2.1)"""
    pair = Pair(connection(retransmission=SCHEDULE))
    pair.initiate()
    pair.deliver(pair.flights[0])
    pair.pass_time(1000, deliver=False)
    assert len(sent(pair.east)) == 1
