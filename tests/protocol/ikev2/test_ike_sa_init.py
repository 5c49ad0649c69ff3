"""IKE_SA_INIT in both roles: corrections, refusals, repetitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType, KeyExchangeMethod, NotifyType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DeletionRequested, InitiationRequested, SendingFailed
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Refused
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.ike_sa_init import ERROR_PATIENCE, MAX_CORRECTIONS
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.wire.message import Message, find, read_message, write_message
from ikeactors.wire.payload import KeyExchange, Nonce, Notify, SecurityAssociation
from tests.pair import EAST, WEST, Pair, SeededEntropy, child, connection, ike, opposite
from tests.protocol.forging import (
    added,
    change_clear,
    error,
    initiated,
    sent_by,
)

NAT_DETECTION = "N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)"
ANNOUNCED = f"{NAT_DETECTION}, N(FRAGMENTATION_SUPPORTED)"
INIT = f"HDR, SAi1, KEi, Ni, {ANNOUNCED}"
ANSWER = f"HDR, SAr1, KEr, Nr, {ANNOUNCED}, N(CHILDLESS_IKEV2_SUPPORTED)"
GROUPS = connection(proposals=ike("aes128gcm16-prfsha256-x25519-ecp256-ecp384"))
ONE_GROUP = connection(proposals=ike("aes128gcm16-prfsha256-ecp256"))


def test_two_messages_agree_on_keys() -> None:
    pair = initiated()
    pair.deliver(pair.flights[0])
    assert pair.east.association.half_open
    pair.deliver(pair.flights[0])
    assert pair.trace[:2] == [f"--> {INIT}", f"<-- {ANSWER}"]
    assert isinstance(pair.west.association.phase, Authenticating)
    assert not pair.west.association.established


def test_both_ends_name_their_spi_before_they_send() -> None:
    pair = initiated()
    pair.deliver(pair.flights[0])
    for end in pair.ends():
        names = [type(one).__name__ for one in end.actions]
        assert names.index("RegisterSpi") < names.index("SendDatagram")


def test_another_group_is_asked_for_and_followed() -> None:
    """D1 (RFC 7296 section 1.2)"""
    pair = initiated(Pair(GROUPS, opposite(ONE_GROUP)))
    pair.deliver(pair.flights[0])
    assert pair.east.association.closed
    assert pair.east.association.failure == ""
    pair.deliver(pair.flights[0])
    pair.east.association = pair.responder()
    pair.settle()
    assert pair.trace[:4] == [
        f"--> {INIT}",
        "<-- HDR, N(INVALID_KE_PAYLOAD)",
        f"--> {INIT}",
        f"<-- {ANSWER}",
    ]
    assert pair.west.association.ike_sa.suite.ke == KeyExchangeMethod.ECP_256
    pair.assert_mirrored()


def test_a_corrected_request_keeps_its_spi_and_nonce() -> None:
    pair = initiated(Pair(GROUPS, opposite(ONE_GROUP)))
    first = read_message(pair.flights[0].datagram.octets)
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    second = read_message(pair.flights[0].datagram.octets)
    assert (first.spi_i, find(first.payloads, Nonce)) == (
        second.spi_i,
        find(second.payloads, Nonce),
    )
    assert find(first.payloads, KeyExchange) != find(second.payloads, KeyExchange)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\0\x13\0", b"\0\0", b"\0\x0e", b"\x04\x01", b"\xff\xff", b"\0\x1f"],
    ids=lambda data: data.hex() or "none",
)
def test_a_group_that_was_not_offered_is_never_used(data: bytes) -> None:
    """D2, G14: not offered, the same, 0, 1025, too short, too long"""
    pair = initiated(Pair(GROUPS))
    good = list(pair.flights)
    before = len(pair.trace)
    for _ in range(5):
        error(pair, NotifyType.INVALID_KE_PAYLOAD, data)
    assert len(pair.trace) == before
    assert not pair.west.association.closed
    pair.flights[:] = good
    pair.settle()
    assert pair.west.association.established


def test_a_peer_that_names_groups_without_end_is_given_up() -> None:
    """D2: as many corrections as groups offered, and the reason is told."""
    pair = initiated(Pair(GROUPS))
    for _ in range(5):
        for group in (b"\0\x13", b"\0\x14", b"\0\x1f", b"\0\x0e"):
            error(pair, NotifyType.INVALID_KE_PAYLOAD, group)
    assert len(pair.trace) == 3
    pair.pass_time(ERROR_PATIENCE, deliver=False)
    assert pair.west.association.closed
    assert "INVALID_KE_PAYLOAD" in pair.west.association.failure


def test_an_answer_that_comes_twice_is_followed_once() -> None:
    pair = initiated(Pair(GROUPS))
    error(pair, NotifyType.INVALID_KE_PAYLOAD, b"\0\x13")
    error(pair, NotifyType.INVALID_KE_PAYLOAD, b"\0\x13")
    assert len(pair.trace) == 2
    assert not pair.west.said("ike-sa-init-refused")


def test_a_cookie_is_put_first_and_nothing_else_changes() -> None:
    """J1 (RFC 7296 section 2.6)"""
    pair = initiated()
    door = Admission(
        SeededEntropy("door"), AdmissionLimits(cookie_threshold=1), Allowance(100, 100)
    )
    refused = door.consider(pair.flights[0].datagram, 1, 0, pair.now)
    assert isinstance(refused, Refused)
    assert refused.reply is not None
    first = pair.flights.pop()
    pair.give(pair.west, sent_by(pair, pair.east, refused.reply))
    assert pair.trace[-1] == f"--> HDR, N(COOKIE), {INIT[5:]}"
    again = read_message(pair.flights[0].datagram.octets)
    assert again.payloads[1:] == read_message(first.datagram.octets).payloads
    pair.settle()
    assert pair.west.association.established


def test_a_cookie_and_another_group_end_well() -> None:
    """J3 (RFC 7296 section 2.6.1)"""
    pair = initiated(Pair(GROUPS, opposite(ONE_GROUP)))
    door = Admission(
        SeededEntropy("door"), AdmissionLimits(cookie_threshold=1), Allowance(100, 100)
    )
    for _ in range(4):
        flight = pair.flights[0]
        considered = door.consider(flight.datagram, 1, 0, pair.now)
        if isinstance(considered, Refused):
            assert considered.reply is not None
            pair.flights.clear()
            pair.give(pair.west, sent_by(pair, pair.east, considered.reply))
            continue
        pair.east.association = pair.responder()
        pair.deliver(flight)
        if not pair.east.association.closed:
            break
        pair.deliver(pair.flights[0])
    pair.settle()
    assert pair.west.association.established


@pytest.mark.parametrize("length", [0, 65])
def test_cookies_of_a_wrong_length_are_passed_over(length: int) -> None:
    """J4, G14"""
    pair = initiated()
    for _ in range(10):
        error(pair, NotifyType.COOKIE, bytes(length))
    assert len(pair.trace) == 1


def test_cookies_without_end_are_not_followed() -> None:
    """J4"""
    pair = initiated()
    for number in range(50):
        error(pair, NotifyType.COOKIE, bytes((number, 1)))
    assert len(pair.trace) == 1 + MAX_CORRECTIONS
    error(pair, NotifyType.COOKIE, bytes((3, 1)))
    assert len(pair.trace) == 1 + MAX_CORRECTIONS


@pytest.mark.parametrize(
    "kind",
    [NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.INVALID_SYNTAX, NotifyType.INVALID_MAJOR_VERSION],
)
def test_a_forged_error_does_not_keep_the_good_answer_out(kind: NotifyType) -> None:
    """G6 (RFC 7296 section 2.21.1)"""
    pair = initiated()
    for _ in range(3):
        error(pair, kind)
    pair.pass_time(ERROR_PATIENCE - 0.1, deliver=False)
    assert not pair.west.association.closed
    pair = initiated()
    good = list(pair.flights)
    error(pair, kind)
    pair.pass_time(ERROR_PATIENCE - 0.1, deliver=False)
    pair.flights[:] = good
    pair.settle()
    assert pair.west.association.established
    pair.pass_time(60)
    assert pair.west.association.established


def test_no_proposal_chosen_is_explained_on_both_ends() -> None:
    east = opposite(connection(proposals=ike("aes256-sha512-x25519")))
    pair = initiated(Pair(None, east))
    pair.settle()
    assert pair.trace[1] == "<-- HDR, N(NO_PROPOSAL_CHOSEN)"
    assert pair.east.association.closed
    assert "no common ENCR" in pair.east.association.failure
    pair.pass_time(ERROR_PATIENCE)
    failure = pair.west.association.failure
    assert "NO_PROPOSAL_CHOSEN" in failure
    assert "We offered IKE:AES_GCM_16-128" in failure
    assert pair.west.answers[0].text == failure


def test_an_unknown_peer_is_told_no_proposal_chosen() -> None:
    pair = Pair()
    pair.east_settings = replace(pair.east_settings, connections=())
    pair.east.association = pair.responder()
    initiated(pair).settle()
    assert pair.trace[1] == "<-- HDR, N(NO_PROPOSAL_CHOSEN)"
    assert "no connection is configured for a peer 192.0.2.1" in pair.east.association.failure


def test_a_request_that_comes_again_gets_the_same_answer_now_and_then() -> None:
    """G1, G3"""
    pair = initiated()
    first = pair.flights[0]
    pair.deliver(first)
    answers = [flight.datagram.octets for flight in pair.flights]
    pair.drop()
    for _ in range(10):
        pair.give(pair.east, first.datagram)
    assert [flight.datagram.octets for flight in pair.flights] == answers
    pair.now += 1
    pair.give(pair.east, first.datagram)
    assert len(pair.flights) == 2
    change_clear(first, added(Notify(NotifyType(40000))))
    pair.now += 1
    pair.give(pair.east, first.datagram)
    assert len(pair.flights) == 2


def test_a_forged_ike_auth_does_not_silence_the_answer() -> None:
    """A28: the answer to IKE_SA_INIT is lost, and somebody makes the responder compute its keys."""
    pair = initiated()
    first = pair.flights[0].datagram
    pair.deliver(pair.flights[0])
    spi_r = read_message(pair.flights.pop().datagram.octets).spi_r
    header = Message(first.octets[:8], spi_r, ExchangeType.IKE_AUTH, 1, False, True, ())
    pair.give(pair.east, sent_by(pair, pair.west, write_message(header)))
    assert pair.east.association.half_open
    pair.give(pair.east, first)
    pair.settle()
    assert pair.west.association.established
    pair.assert_mirrored()


def test_a_responder_that_hears_no_more_is_closed() -> None:
    """J6"""
    pair = initiated()
    pair.deliver(pair.flights[0])
    pair.drop()
    assert pair.east.association.half_open
    pair.pass_time(29.9, deliver=False)
    assert not pair.east.association.closed
    pair.pass_time(0.2, deliver=False)
    assert pair.east.association.closed
    assert "did not complete IKE_AUTH in time" in pair.east.association.failure


def test_how_long_a_responder_waits_is_asked_when_it_answers() -> None:
    """J6 (RFC 8019 section 4.1)"""
    pair = initiated()
    hurried = replace(pair._surroundings["east"], half_open_timeout=lambda: 2.0)
    pair.east.association = Association.responding(pair.east_settings, EAST, WEST, hurried)
    pair.deliver(pair.flights[0])
    pair.drop()
    assert pair.east.association.deadline == pair.now + 2.0


def test_who_asks_for_the_same_meanwhile_hears_the_same_answer() -> None:
    both = connection(children=(child(), child("other")))
    pair = Pair(both)
    pair.initiate("net")
    pair.give(pair.west, InitiationRequested(("net",), 2))
    pair.give(pair.west, InitiationRequested(("other",), 3))
    pair.settle()
    assert sorted((one.request_id, one.succeeded) for one in pair.west.answers) == [
        (1, True),
        (2, True),
        (3, True),
    ]
    assert sorted(one.name for one in pair.west.association.children) == ["net", "other"]


def test_who_cancels_is_answered_and_so_is_who_waited() -> None:
    pair = initiated()
    pair.give(pair.west, DeletionRequested(request_id=2))
    assert pair.west.association.closed
    assert [(one.request_id, one.succeeded) for one in pair.west.answers] == [(1, False), (2, True)]


def test_a_host_that_cannot_send_is_told_apart_from_a_peer_that_is_silent() -> None:
    pair = Pair()
    pair.initiate()
    pair.drop()
    pair.give(pair.west, SendingFailed("Network is unreachable"))
    pair.pass_time(ERROR_PATIENCE + 1)
    assert "cannot send from" in pair.west.association.failure
    assert "Network is unreachable" in pair.west.association.failure


def test_a_corrected_request_makes_the_whole_offer_again() -> None:
    """(RFC 7296 section 1.2)"""
    pair = initiated(Pair(GROUPS, opposite(ONE_GROUP)))
    first = read_message(pair.flights[0].datagram.octets)
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    second = read_message(pair.flights[0].datagram.octets)
    assert find(first.payloads, SecurityAssociation) == find(second.payloads, SecurityAssociation)
