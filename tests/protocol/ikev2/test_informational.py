"""INFORMATIONAL: deletes from each side, crossing, foreign or malformed; liveness."""

from __future__ import annotations

import pytest

from ikeactors.iana import ExchangeType, NotifyType, PayloadType, ProtocolId
from ikeactors.protocol.actions import InstallChildSa, KeepAnswer, SendDatagram
from ikeactors.protocol.events import DeletionRequested, RekeyRequested, SaExpired, Superseded
from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from ikeactors.protocol.settings import DownAction, Retransmission
from ikeactors.wire.payload import Delete, Notify, Payload, Unknown
from tests.pair import End, Pair, child, connection, selectors
from tests.protocol.forging import answers, change_sealed, other, request, standing

INFORMATIONAL = ExchangeType.INFORMATIONAL
ENDS = pytest.mark.parametrize("end", ["west", "east"])


def established(**changes: object) -> Pair:
    pair = Pair(connection(**changes)).establish()
    pair.trace.clear()
    return pair


def assert_gone(pair: Pair) -> None:
    for end in pair.ends():
        assert end.association.closed
        assert end.association.deadline == float("inf")
        assert not end.sas
        assert not end.policies


@ENDS
def test_a_child_sa_is_deleted_by_either_end(end: str) -> None:
    """(RFC 7296 section 1.4.1)"""
    pair = established()
    pair.give(getattr(pair, end), DeletionRequested(child="net", request_id=7))
    pair.settle()
    assert [one[4:] for one in pair.trace] == ["HDR, SK {D}", "HDR, SK {D}"]
    assert getattr(pair, end).answers[-1].succeeded
    pair.pass_time(5.1)
    for one in pair.ends():
        assert not one.sas
        assert not one.policies
        assert one.association.established
        assert len(one.said("child-sa-down")) == 1


@ENDS
def test_an_ike_sa_is_deleted_by_either_end(end: str) -> None:
    pair = established()
    pair.give(getattr(pair, end), DeletionRequested(request_id=7))
    pair.settle()
    assert [one[4:] for one in pair.trace] == ["HDR, SK {D}", "HDR, SK {}"]
    assert getattr(pair, end).answers[-1].succeeded
    assert_gone(pair)


def test_what_ends_while_a_child_sa_is_deleted_begins_to_send_by_nothing() -> None:
    """A responder's successor, which waits for the Delete of the old one."""
    pair = established()
    (old,) = pair.east.association.children
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.deliver(pair.flights[0])
    pair.drop()
    pair.give(pair.east, SaExpired(old.inbound.sa_id, hard=True))
    pair.east.actions.clear()
    pair.give(pair.east, Superseded(silent=True))
    assert not [one for one in pair.east.actions if isinstance(one, InstallChildSa)]
    assert not pair.east.sas


def test_both_ends_delete_the_child_sa_at_once() -> None:
    """(RFC 7296 section 1.4.1): neither names its half in the answer."""
    pair = established()
    for end in pair.ends():
        pair.give(end, DeletionRequested(child="net", request_id=7))
    pair.settle()
    assert sorted(one[4:] for one in pair.trace) == [
        "HDR, SK {D}",
        "HDR, SK {D}",
        "HDR, SK {}",
        "HDR, SK {}",
    ]
    pair.pass_time(6)
    for end in pair.ends():
        assert not end.sas
        assert not end.policies
        assert end.answers[-1].succeeded
        assert len(end.said("child-sa-down")) == 1


def test_both_ends_delete_the_ike_sa_at_once() -> None:
    pair = established()
    for end in pair.ends():
        pair.give(end, DeletionRequested(request_id=7))
    pair.settle()
    assert_gone(pair)
    for end in pair.ends():
        assert end.answers[-1].succeeded


def test_a_lost_answer_to_the_delete_of_an_ike_sa_ends_in_time() -> None:
    pair = established()
    pair.give(pair.west, DeletionRequested(request_id=7))
    pair.deliver(pair.flights[0])
    pair.drop()
    pair.pass_time(200, deliver=False)
    assert_gone(pair)
    assert pair.west.association.failure == ""


@pytest.mark.parametrize(
    "delete",
    [
        Delete(ProtocolId.ESP, (b"\7\7\7\7",)),
        Delete(ProtocolId.ESP, (b"\7\7\7\7",) * 1000),
        Delete(ProtocolId.ESP),
        Delete(ProtocolId.AH, (b"spi?",)),
        Delete(ProtocolId(200), (b"1234567",)),
    ],
)
def test_a_foreign_spi_is_passed_over(delete: Delete) -> None:
    """G9"""
    pair = established()
    (ours,) = pair.west.association.children
    if delete.spis == (b"spi?",):
        delete = Delete(delete.protocol, (ours.spi_in.to_bytes(4, "big"),))
    request(pair, pair.west, INFORMATIONAL, delete)
    assert answers(pair, pair.west) == [()]
    assert pair.east.association.established
    assert len(pair.east.sas) == 2


def test_an_spi_that_is_named_twice_is_deleted_once() -> None:
    """G9"""
    pair = established()
    (ours,) = pair.west.association.children
    (theirs,) = pair.east.association.children
    spi = ours.spi_in.to_bytes(4, "big")
    twice = Delete(ProtocolId.ESP, (spi, spi)), Delete(ProtocolId.ESP, (spi,))
    request(pair, pair.west, INFORMATIONAL, *twice)
    half = theirs.spi_in.to_bytes(4, "big")
    assert answers(pair, pair.west) == [(Delete(ProtocolId.ESP, (half,)),)]
    request(pair, pair.west, INFORMATIONAL, *twice)
    assert answers(pair, pair.west) == [()]


@pytest.mark.parametrize(
    "body",
    [
        b"\1\4\0\1spi1",
        b"\1\0\0\1",
        b"\3\4\0\2spi1",
        b"\3\4\xff\xffspi1",
        b"\3\0\0\1",
        b"\3\4",
        b"",
    ],
    ids=bytes.hex,
)
def test_a_malformed_delete_ends_the_ike_sa(body: bytes) -> None:
    """G9 (RFC 7296 section 2.21.3)"""
    pair = established()
    request(pair, pair.west, INFORMATIONAL, Unknown(PayloadType.DELETE, False, body))
    assert answers(pair, pair.west) == [(Notify(NotifyType.INVALID_SYNTAX),)]
    assert pair.east.association.closed
    assert not pair.east.sas


def test_what_follows_a_delete_of_the_ike_sa_is_of_no_matter() -> None:
    """G10"""
    pair = established()
    (ours,) = pair.west.association.children
    more = Delete(ProtocolId.ESP, (ours.spi_in.to_bytes(4, "big"),))
    request(pair, pair.west, INFORMATIONAL, Delete(ProtocolId.IKE), more, Notify(NotifyType(40000)))
    assert answers(pair, pair.west) == [()]
    assert pair.east.association.closed
    assert not pair.east.sas


@pytest.mark.parametrize("kind", [NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_SYNTAX])
def test_some_errors_end_the_ike_sa(kind: NotifyType) -> None:
    """(RFC 7296 section 2.21)"""
    pair = established()
    request(pair, pair.west, INFORMATIONAL, Notify(kind))
    assert answers(pair, pair.west) == [()]
    assert pair.east.association.closed
    assert not pair.east.sas


@pytest.mark.parametrize(
    "payload",
    [
        Notify(NotifyType.COOKIE, b""),
        Notify(NotifyType.COOKIE, bytes(65)),
        Notify(NotifyType.INVALID_KE_PAYLOAD, b"\1"),
        Notify(NotifyType.SET_WINDOW_SIZE, b"\0\0\0\0"),
        Notify(NotifyType.SET_WINDOW_SIZE, b"\xff" * 4),
        Notify(NotifyType.SET_WINDOW_SIZE, b""),
        Notify(NotifyType.ADDITIONAL_TS_POSSIBLE, b"x"),
        Notify(NotifyType(65535), b"\0\n\x1b[31m%n$(reboot)"),
        Unknown(PayloadType(254), False, b"x"),
    ],
)
def test_notifies_of_any_length_are_answered_with_nothing(payload: Payload) -> None:
    """G14, A20, A32"""
    pair = established()
    request(pair, pair.west, INFORMATIONAL, payload)
    assert answers(pair, pair.west) == [()]
    assert pair.east.association.established
    for trace in pair.east.traces:
        assert trace.text.isprintable()


def test_an_unknown_critical_payload_is_named_and_the_ike_sa_stands() -> None:
    """A18"""
    pair = established()
    request(pair, pair.west, INFORMATIONAL, Unknown(PayloadType(254), True, b"x"))
    assert answers(pair, pair.west) == [(Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xfe"),)]
    assert pair.east.association.established


def test_an_unknown_critical_payload_in_a_response_ends_the_ike_sa() -> None:
    """A19: the states differ; a Delete is all that is sent."""
    pair = established()
    pair.give(pair.west, DeletionRequested(child="net", request_id=7))
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], lambda _: (Unknown(PayloadType(254), True, b""),))
    pair.settle()
    assert pair.trace[-2:] == ["--> HDR, SK {D}", "<-- HDR, SK {}"]
    assert_gone(pair)


def test_deleting_what_is_not_there_is_answered() -> None:
    pair = established()
    before = standing(pair.west)
    pair.give(pair.west, DeletionRequested(child="nothing", request_id=7))
    assert pair.west.answers[-1].text == "there is no such Child SA"
    assert standing(pair.west) == before


def test_one_of_several_children_is_deleted_by_its_spi() -> None:
    pair = established(children=(child(), child("more", local_ts=selectors("10.3.0.0/16"))))
    (more,) = pair.west.association.children.named("more")
    pair.give(pair.west, DeletionRequested(spi=more.spi_in))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()


@pytest.mark.parametrize("silent", [True, False])
def test_a_superseded_ike_sa_goes(silent: bool) -> None:
    pair = established()
    pair.give(pair.west, Superseded(silent))
    pair.settle()
    assert pair.west.association.closed
    assert not pair.west.sas
    assert pair.trace == ([] if silent else ["--> HDR, SK {D}", "<-- HDR, SK {}"])


@ENDS
def test_a_quiet_peer_is_asked_whether_it_lives(end: str) -> None:
    """(RFC 7296 section 2.4)"""
    pair = established(dpd_delay=30.0)
    asking = getattr(pair, end)
    other(pair, asking).association.timers.stop_all()
    pair.pass_time(29)
    assert pair.trace == []
    pair.pass_time(2)
    assert [one[4:] for one in pair.trace] == ["HDR, SK {}", "HDR, SK {}"]
    pair.pass_time(30)
    assert len(pair.trace) == 4


def test_a_peer_that_talks_is_not_asked() -> None:
    pair = established(dpd_delay=30.0)
    pair.east.association.timers.stop_all()
    for _ in range(10):
        pair.pass_time(20)
        request(pair, pair.east, INFORMATIONAL)
        answers(pair, pair.east)
    assert not [one for one in pair.trace if one.startswith("-->") and len(one) < 16][10:]
    assert pair.west.association.ike_sa.requests.next_id == 2


def test_a_dead_peer_is_noticed_and_explained() -> None:
    schedule = Retransmission(timeout=1.0, base=2.0, tries=3)
    children = (child(dpd_action=DownAction.START), child("more"))
    pair = established(dpd_delay=30.0, retransmission=schedule, children=children)
    pair.east.association.timers.stop_all()
    start = pair.now
    while not pair.west.association.closed:
        pair.to_next_timer()
        pair.drop()
    assert pair.now - start == pytest.approx(30 + 1 + 2 + 4 + 8)
    assert "does not answer INFORMATIONAL (sent 4 times" in pair.west.association.failure
    assert pair.west.said("ike-sa-lost")
    assert not pair.west.sas


def test_no_liveness_is_asked_where_it_is_off() -> None:
    pair = established(rekey_time=0.0, children=(child(rekey_time=0.0, life_time=0.0),))
    pair.pass_time(1e6)
    assert pair.trace == []
    assert pair.west.association.deadline == float("inf")


def test_nothing_is_asked_on_an_ike_sa_that_is_being_deleted() -> None:
    pair = established(dpd_delay=30.0)

    def sent(end: End) -> int:
        return end.association.ike_sa.requests.next_id

    pair.give(pair.west, DeletionRequested(request_id=7))
    pair.drop()
    before = sent(pair.west)
    pair.pass_time(40, deliver=False)
    assert sent(pair.west) == before
    assert pair.west.association.ike_sa.state is IkeSaState.DELETING


def test_an_ike_sa_that_ends_with_an_answer_leaves_that_answer_behind() -> None:
    pair = Pair().establish()
    pair.give(pair.west, DeletionRequested())
    request = pair.flights[0].datagram
    pair.settle()
    (kept,) = [one for one in pair.east.actions if isinstance(one, KeepAnswer)]
    assert kept.message_id == int.from_bytes(request.octets[20:24], "big")
    sent = [one for one in pair.east.actions if isinstance(one, SendDatagram)]
    assert kept.octets == sent[-1].octets
