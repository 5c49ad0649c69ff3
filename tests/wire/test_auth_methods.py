"""Announced authentication methods, from octets and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import AuthMethod
from ikeactors.wire.auth_methods import (
    MAX_ANNOUNCEMENTS,
    AuthAnnouncement,
    read_announcements,
    write_announcements,
)

ROWS = [
    ("nothing", (), ""),
    ("a shared key", (AuthAnnouncement(AuthMethod.SHARED_KEY),), "0202"),
    ("no authentication", (AuthAnnouncement(AuthMethod.NULL),), "020d"),
    ("RSA, of any authority", (AuthAnnouncement(AuthMethod.RSA_SIGNATURE, 0),), "030100"),
    (
        "Ed25519 of the second authority, or a shared key",
        (
            AuthAnnouncement(AuthMethod.DIGITAL_SIGNATURE, 2, bytes.fromhex("300506032b6570")),
            AuthAnnouncement(AuthMethod.SHARED_KEY),
        ),
        "0a0e02300506032b65700202",
    ),
]


@pytest.mark.parametrize(("_", "value", "octets"), ROWS)
def test_announcements_are_written_and_read(
    _: str, value: tuple[AuthAnnouncement, ...], octets: str
) -> None:
    """(RFC 9593 section 3.2)"""
    assert write_announcements(value).hex() == octets
    assert read_announcements(bytes.fromhex(octets)) == value


@pytest.mark.parametrize("octets", ["00", "0102", "0302", "02", "ff02", "020202"])
def test_a_wrong_length_is_refused(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_announcements(bytes.fromhex(octets))


def test_no_more_are_looked_at_than_there_is_use_for() -> None:
    assert len(read_announcements(bytes.fromhex("0202") * 1000)) == MAX_ANNOUNCEMENTS


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(octets: bytes) -> None:
    try:
        read_announcements(octets)
    except InvalidSyntax:
        return
