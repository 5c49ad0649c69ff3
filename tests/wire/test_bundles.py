"""Bundles of certificates."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.bundles import read_bundle, write_bundle


@pytest.mark.parametrize(
    ("certificates", "octets"),
    [((), "3000"), ((b"\x30\x00",), "3004 a002 3000"), ((b"a", b"b"), "3006 a00161 a00162")],
)
def test_bundles_are_read_and_written(certificates: tuple[bytes, ...], octets: str) -> None:
    """(RFC 7296 section 3.6)"""
    assert read_bundle(bytes.fromhex(octets)) == certificates
    assert write_bundle(certificates) == bytes.fromhex(octets)


def test_lists_in_a_bundle_are_passed_over() -> None:
    assert read_bundle(bytes.fromhex("3006 a10161 a00162")) == (b"b",)


@pytest.mark.parametrize(
    "octets",
    ["", "30", "3001", "3100", "3080", "3002 0500", "3003 a00261", "3000 00", "3083 000000"],
)
def test_what_is_no_bundle_is_invalid(octets: str) -> None:
    """Case E21."""
    with pytest.raises(InvalidSyntax):
        read_bundle(bytes.fromhex(octets))


def test_a_bundle_of_very_many_is_not_read() -> None:
    """Case E16."""
    assert len(read_bundle(write_bundle([b"x"] * 19))) == 19
    with pytest.raises(InvalidSyntax, match="more than 20"):
        read_bundle(write_bundle([b"x"] * 21))


@given(st.lists(st.binary(max_size=300), max_size=19))
def test_bundles_survive_writing_and_reading(certificates: list[bytes]) -> None:
    assert read_bundle(write_bundle(certificates)) == tuple(certificates)


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    with suppress(InvalidSyntax):
        read_bundle(octets)
