"""DER elements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.der import check_end, read_element, write_element
from ikeactors.wire.octets import Reader


@given(st.integers(0, 255), st.binary(max_size=300))
def test_elements_survive_writing_and_reading(tag: int, body: bytes) -> None:
    reader = Reader(write_element(tag, body))
    assert read_element(reader, tag).rest() == body
    check_end(reader)


@pytest.mark.parametrize("octets", ["", "04", "0401", "0480", "0483000001 00", "0500", "0402 61"])
def test_what_is_no_such_element_is_invalid(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_element(Reader(bytes.fromhex(octets)), 0x04)


def test_larger_ones_are_read_where_they_are_expected() -> None:
    octets = write_element(4, bytes(70000))
    assert len(read_element(Reader(octets), 4, 3).rest()) == 70000
    with pytest.raises(InvalidSyntax):
        read_element(Reader(octets), 4)


def test_what_stands_behind_is_refused() -> None:
    with pytest.raises(InvalidSyntax):
        check_end(Reader(b"x"))
