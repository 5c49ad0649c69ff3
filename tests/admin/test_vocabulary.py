"""The messages: any octets are a request or refused, whatever they are."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.framing import MAX_FRAME
from ikeactors.admin.vocabulary import (
    LEVELS,
    MAX_REQUEST_ID,
    ErrorCode,
    MalformedMessage,
    Request,
    RequestRefused,
    read_message,
    read_request,
    write_error,
    write_request,
    write_result,
)
from ikeactors.protocol.actions import Level

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.integers(0, MAX_REQUEST_ID),
    st.text(max_size=16),
    st.dictionaries(st.text(max_size=8), PLAIN, max_size=4),
    st.integers(0, 9),
)
def test_a_request_is_read_as_it_was_written(
    request_id: int, command: str, arguments: dict[str, object], version: int
) -> None:
    request = Request(request_id, command, arguments, version)

    assert read_request(write_request(request)) == request


@given(st.binary(max_size=64) | PLAIN.map(msgpack.packb))
def test_any_octets_are_a_request_or_malformed(octets: bytes) -> None:
    try:
        read_request(octets)
    except MalformedMessage as fault:
        assert str(fault)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "id"),
        ({"id": -1}, "id"),
        ({"id": True, "command": "version"}, "id"),
        ({"id": 2**63}, "id"),
        ({"id": 1}, "command"),
        ({"id": 1, "command": 7}, "command"),
        ({"id": 1, "command": "up", "arguments": [1], "version": 1}, "arguments"),
        ({"id": 1, "command": "up", "arguments": {}}, "version"),
        ({"id": 1, "command": "x" * 5000, "version": 1}, "limits"),
        ({"id": 1, "command": "up", "arguments": {"a": list(range(2000))}}, "limits"),
        ({1: 2}, "msgpack"),
        ([1, 2], "map"),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused_in_words(message: object, words: str) -> None:
    with pytest.raises(MalformedMessage, match=words):
        read_request(msgpack.packb(message))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x81",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91" * 5000,
        b"\x81\xa2id" * 5000,
        b"\x81\xa2id\xd6\xff\x00\x00\x00\x00",
        b"\x81\xa2id\xc7\x00\x05",
        b"\x81\xa1\xff\x01",
        b"\x80\x80",
    ],
)
def test_octets_made_to_cost_us_are_refused(octets: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_request(octets)


def test_the_id_of_a_request_of_the_wrong_shape_is_told() -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_request(msgpack.packb({"id": 7, "command": None}))
    assert caught.value.request_id == 7


def test_an_error_carries_its_code_text_and_details() -> None:
    refusal = RequestRefused(ErrorCode.NOT_FOUND, "no such thing", {"nearest": "thing"})

    assert read_message(write_error(3, refusal)) == {
        "id": 3,
        "ok": False,
        "error": {"code": "not-found", "text": "no such thing", "details": {"nearest": "thing"}},
    }


def test_a_result_beyond_a_frame_is_too_large() -> None:
    with pytest.raises(RequestRefused) as caught:
        write_result(1, "x" * MAX_FRAME)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_the_levels_are_those_of_reports() -> None:
    assert tuple(level.name.lower() for level in Level) == LEVELS


def test_the_codes_are_what_the_protocol_promises() -> None:
    assert {code.value for code in ErrorCode} == {
        "not-found",
        "invalid-argument",
        "not-permitted",
        "unsupported-version",
        "unknown-command",
        "failed",
        "timeout",
        "busy",
        "too-large",
    }
