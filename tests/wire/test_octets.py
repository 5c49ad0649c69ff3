"""The reader of octets and their printing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.octets import MAX_PRINTED, Reader, printable


def test_a_reader_reads_numbers_and_octets_in_order() -> None:
    reader = Reader(bytes(range(1, 13)))
    assert (reader.u8(), reader.u16(), reader.u32()) == (1, 0x0203, 0x04050607)
    assert reader.octets(2) == b"\x08\x09"
    assert reader.remaining == 3
    assert reader.rest() == b"\x0a\x0b\x0c"
    assert reader.rest() == b""


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.u16(),
        lambda reader: reader.u32(),
        lambda reader: reader.octets(2),
        lambda reader: reader.octets(-1),
        lambda reader: reader.within(2),
    ],
)
def test_a_reader_never_goes_past_its_end(read) -> None:
    reader = Reader(b"abc", 1, 2)
    with pytest.raises(InvalidSyntax):
        read(reader)
    assert reader.rest() == b"b"


def test_a_reader_within_another_has_its_own_end() -> None:
    outer = Reader(b"abcdef")
    inner = outer.within(3)
    assert inner.rest() == b"abc"
    assert outer.rest() == b"def"


def test_a_reader_is_not_made_past_the_end() -> None:
    with pytest.raises(InvalidSyntax):
        Reader(b"abc", 0, 4)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a.lab", "a.lab"),
        ("Köln".encode(), "Köln"),
        (b"a\nb\x00\x1b[1m", "a\\nb\\x00\\x1b[1m"),
        (b"\xff\\", "\\xff\\\\"),
        ("a\u202eb".encode(), "a\\u202eb"),
        (b"%n$(id)", "%n$(id)"),
        (b"", ""),
    ],
)
def test_octets_are_printed_escaped(octets: bytes, text: str) -> None:
    assert printable(octets) == text


@given(st.binary(max_size=400))
def test_any_octets_print_as_one_short_line(octets: bytes) -> None:
    text = printable(octets)
    assert len(text) <= MAX_PRINTED
    assert text.isprintable()


def test_long_octets_are_cut() -> None:
    assert printable(b"a" * 65535) == "a" * 125 + "..."
    assert printable(b"a" * 128) == "a" * 128
