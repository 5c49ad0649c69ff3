"""Netlink's framing, with pyroute2 as the other reader."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import nlmsg

from ikeactors.errors import InvalidSyntax
from ikeactors.kernel.netlink import (
    Acknowledgement,
    Message,
    read_acknowledgement,
    read_attributes,
    read_messages,
    write_attribute,
    write_message,
)

CAPPED, EXPLAINED = 0x100, 0x200


def test_pyroute2_reads_what_we_write() -> None:
    octets = write_message(Message(0x12, b"abcd"), 77)
    message = nlmsg(octets)
    message.decode()
    header = message["header"]
    assert (header["length"], header["type"]) == (20, 0x12)
    assert (header["flags"], header["sequence_number"]) == (5, 77)


@given(st.lists(st.tuples(st.integers(16, 99), st.integers(0, 2**32 - 1), st.binary(max_size=9))))
def test_messages_in_one_datagram_are_read_one_after_the_other(
    rows: list[tuple[int, int, bytes]],
) -> None:
    octets = b""
    for type_, sequence, body in rows:
        octets += write_message(Message(type_, body), sequence)
        octets += bytes(-len(octets) % 4)
    found = [(one.type, one.sequence, one.body) for one in read_messages(octets)]
    assert found == rows


@given(st.dictionaries(st.integers(1, 99), st.binary(max_size=20), max_size=5))
def test_attributes_are_read_as_written(attributes: dict[int, bytes]) -> None:
    octets = b"head" + b"".join(write_attribute(*item) for item in attributes.items())
    assert read_attributes(octets, 4) == attributes


@given(st.binary(max_size=60), st.integers(0, 0xFFFF))
def test_octets_of_anybody_are_read_or_invalid(octets: bytes, flags: int) -> None:
    for read in (
        lambda: list(read_messages(octets)),
        lambda: read_attributes(octets, 0),
        lambda: read_acknowledgement(Message(2, octets, flags)),
    ):
        with suppress(InvalidSyntax):
            read()


def error(number: int, payload: bytes, text: str = "") -> bytes:
    """The body of an NLMSG_ERROR message."""
    explanation = write_attribute(1, text.encode() + b"\0") if text else b""
    header = struct.pack("=IHHII", 16 + len(payload), 0x10, 5, 1, 0)
    return struct.pack("=i", -number) + header + payload + explanation


@pytest.mark.parametrize(
    ("description", "message", "expected"),
    [
        ("good", Message(2, error(0, b""), 0), Acknowledgement(0)),
        ("bare", Message(2, error(17, b"echoed!!"), 0), Acknowledgement(17)),
        (
            "with the request",
            Message(2, error(22, b"echoed!!", "Bad"), EXPLAINED),
            Acknowledgement(22, "Bad"),
        ),
        (
            "capped",
            Message(2, error(93, b"", "No ESP"), EXPLAINED | CAPPED),
            Acknowledgement(93, "No ESP"),
        ),
    ],
)
def test_the_kernels_verdict_is_read(
    description: str, message: Message, expected: Acknowledgement
) -> None:
    assert read_acknowledgement(message) == expected


def test_an_explanation_is_escaped_and_cut() -> None:
    body = struct.pack("=i", -1) + bytes(16) + write_attribute(1, b"\xff" * 300)
    text = read_acknowledgement(Message(2, body, EXPLAINED | CAPPED)).text
    assert text.startswith("\\xff")
    assert len(text) == 200
