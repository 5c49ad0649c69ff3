"""A lost last answer is repeated, for a while, and to nobody else."""

from __future__ import annotations

from ipaddress import ip_address

from ikeactors.actors.last_answers import LastAnswers
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.actions import KeepAnswer
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.wire.header import write_header

HERE = Endpoint(ip_address("192.0.2.1"), 500)
THERE = Endpoint(ip_address("192.0.2.2"), 500)
OURS, THEIRS = b"\x01" * 8, b"\x02" * 8
ANSWER = KeepAnswer(OURS, 7, b"the answer")


def request(message_id: int = 7, *, is_response: bool = False) -> DatagramReceived:
    octets = write_header(
        THEIRS,
        OURS,
        PayloadType.SK,
        ExchangeType.INFORMATIONAL,
        message_id,
        28,
        is_response=is_response,
        from_original_initiator=True,
    )
    return DatagramReceived(octets, HERE, THERE)


def kept() -> LastAnswers:
    answers = LastAnswers()
    answers.keep(ANSWER, 100.0)
    return answers


def test_the_request_that_comes_again_is_answered_again() -> None:
    assert kept().again(request(), 104.0) == b"the answer"


def test_no_other_message_is_answered() -> None:
    answers = kept()
    assert answers.again(request(8), 104.0) is None
    assert answers.again(request(is_response=True), 104.0) is None
    assert len(answers) == 1


def test_only_the_first_fragment_is_answered() -> None:
    """(RFC 7383 section 2.6.1)"""
    answers = kept()

    def fragment(number: int) -> DatagramReceived:
        head = request().octets[:16] + bytes((PayloadType.SKF,)) + request().octets[17:]
        return DatagramReceived(head + bytes((0, 0, 0, 60, 0, number, 0, 3)), HERE, THERE)

    assert [answers.again(fragment(number), 101.0) for number in (1, 2, 3)] == [
        b"the answer",
        None,
        None,
    ]


def test_an_answer_is_not_kept_for_ever() -> None:
    answers = kept()
    assert answers.again(request(), 140.0) is None
    assert len(answers) == 0


def test_an_answer_is_not_repeated_for_ever() -> None:
    answers = kept()
    repeated = [answers.again(request(), 101.0) for _ in range(20)]
    assert repeated.count(b"the answer") == 8


def test_too_many_answers_push_out_the_oldest() -> None:
    answers = kept()
    for number in range(1024):
        answers.keep(KeepAnswer(number.to_bytes(8, "big"), 0, b""), 101.0)
    assert len(answers) == 1024
    assert answers.again(request(), 101.0) is None
