"""Frames of the admin socket, whole, in pieces and hostile."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.framing import MAX_FRAME, FrameBuffer, FrameTooLarge, frame


def frames_in(pieces: list[bytes]) -> list[bytes]:
    buffer, found = FrameBuffer(), []
    for piece in pieces:
        buffer.feed(piece)
        while (body := buffer.take()) is not None:
            found.append(body)
    assert not buffer.is_partial
    return found


@given(st.lists(st.binary(max_size=64), max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    bodies: list[bytes], sizes: list[int]
) -> None:
    octets = b"".join(map(frame, bodies))
    pieces, at, turn = [], 0, 0
    while at < len(octets):
        size = sizes[turn % len(sizes)]
        pieces.append(octets[at : at + size])
        at, turn = at + size, turn + 1

    assert frames_in(pieces) == bodies


@given(st.binary(max_size=200))
def test_any_octets_are_frames_or_too_large_or_incomplete(octets: bytes) -> None:
    buffer = FrameBuffer()
    buffer.feed(octets)
    taken = 0
    try:
        while (body := buffer.take()) is not None:
            taken += 4 + len(body)
    except FrameTooLarge:
        (length,) = struct.unpack_from("!I", octets, taken)
        assert length > MAX_FRAME
    assert taken <= len(octets)


def test_the_largest_frame_is_taken_and_one_octet_more_is_not() -> None:
    assert frames_in([frame(bytes(MAX_FRAME))]) == [bytes(MAX_FRAME)]
    with pytest.raises(FrameTooLarge):
        frame(bytes(MAX_FRAME + 1))


def test_a_length_that_is_too_large_is_seen_before_what_follows() -> None:
    buffer = FrameBuffer()
    buffer.feed(struct.pack("!I", 2**31))
    with pytest.raises(FrameTooLarge):
        buffer.take()


def test_a_frame_of_nothing_is_a_frame() -> None:
    assert frames_in([frame(b"")]) == [b""]
