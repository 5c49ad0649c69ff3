"""The header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.wire.header import HEADER_LENGTH, ZERO_SPI, read_header, write_header

SPI_I = bytes(range(1, 9))


def header(version: int = 0x20, flags: int = 0x08, length: int = 28) -> bytes:
    """An IKE_SA_INIT header with some fields of one's choice."""
    return SPI_I + ZERO_SPI + bytes((33, version, 34, flags)) + bytes(4) + length.to_bytes(4, "big")


def test_a_header_is_read_field_by_field() -> None:
    read = read_header(header(flags=0x28, length=30) + b"ab")
    assert (read.spi_i, read.spi_r) == (SPI_I, ZERO_SPI)
    assert read.next_payload is PayloadType.SA
    assert read.exchange is ExchangeType.IKE_SA_INIT
    assert (read.major, read.minor, read.message_id, read.length) == (2, 0, 0, 30)
    assert read.is_response
    assert read.from_original_initiator
    assert not read.higher_version
    assert not read.is_isakmp


def test_a_header_is_written_as_it_is_read() -> None:
    written = write_header(
        SPI_I,
        ZERO_SPI,
        PayloadType.SA,
        ExchangeType.IKE_SA_INIT,
        0,
        28,
        is_response=False,
        from_original_initiator=True,
    )
    assert written == header()
    assert len(written) == HEADER_LENGTH


@pytest.mark.parametrize("length", range(HEADER_LENGTH))
def test_a_datagram_shorter_than_a_header_is_invalid(length: int) -> None:
    with pytest.raises(InvalidSyntax):
        read_header(header()[:length])


@pytest.mark.parametrize("length", [0, 27, 31, 0xFFFFFFFF])
def test_a_length_below_the_header_or_above_the_datagram_is_invalid(length: int) -> None:
    with pytest.raises(InvalidSyntax):
        read_header(header(length=length) + b"ab")


def test_octets_behind_the_length_are_ignored() -> None:
    assert read_header(header(length=28) + b"tail").length == 28


def test_reserved_flags_and_the_version_flag_change_nothing_else() -> None:
    plain, all_set = read_header(header(flags=0x08)), read_header(header(flags=0xDF))
    assert all_set.higher_version
    assert all_set.from_original_initiator
    assert not all_set.is_response
    assert all_set.exchange == plain.exchange


def test_isakmp_is_recognised_and_keeps_its_flags() -> None:
    read = read_header(header(version=0x10, flags=0x01))
    assert read.is_isakmp
    assert read.flags == 0x01


@given(st.binary(max_size=40))
def test_any_octets_are_a_header_or_invalid(octets: bytes) -> None:
    try:
        read = read_header(octets)
    except InvalidSyntax:
        return
    assert HEADER_LENGTH <= read.length <= len(octets)
