"""A search of LDAP, in octets."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.ldap import (
    Done,
    Found,
    Place,
    message_length,
    read_message,
    write_search,
)

ATTRIBUTE = "certificateRevocationList;binary"


def test_a_search_asks_for_one_attribute_of_one_entry() -> None:
    """(RFC 4511 section 4.5)"""
    assert write_search(Place("CN=a", "x")) == bytes.fromhex(
        "30 2c 02 01 01 63 27"
        "04 04 434e3d61 0a 01 00 0a 01 00 02 01 00 02 01 00 01 01 00"
        "87 0b 6f626a656374436c617373"
        "30 03 04 01 78"
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"ldap://h/CN=root,O=x?{ATTRIBUTE}", "CN=root,O=x"),
        (f"ldap://h:1389/CN=a%20b?{ATTRIBUTE}?base", "CN=a b"),
        (f"ldaps://h/CN=root?{ATTRIBUTE}?base?objectClass=cRLDistributionPoint", "CN=root"),
    ],
)
def test_a_url_names_an_entry_and_an_attribute(url: str, name: str) -> None:
    """(RFC 4516 section 2)"""
    assert Place.from_url(url) == Place(name, ATTRIBUTE)


@pytest.mark.parametrize(
    "url", ["ldap://h/", "ldap://h/CN=x", "ldap://h/CN=x?a,b", "ldap://h/CN=x?a?sub", "ldap://h?a"]
)
def test_a_url_that_names_more_or_less_is_refused(url: str) -> None:
    with pytest.raises(InvalidSyntax):
        Place.from_url(url)


ANSWERS = [
    ("a value", "30 14 020101 64 0f 0402 4341 30 09 30 07 0401 78 31 02 0400", Found((b"",))),
    ("no attribute", "30 0b 020101 64 06 0402 4341 3000", Found(())),
    ("the end", "30 0c 020101 65 07 0a0100 0400 0400", Done("")),
    ("not there", "30 0c 020101 65 07 0a0120 0400 0400", Done("it answers noSuchObject")),
    ("busy", "30 0d 020101 65 08 0a0133 0400 0401 78", Done("it answers busy: x")),
    ("unheard of", "30 0c 020101 65 07 0a0163 0400 0400", Done("it answers 99")),
    ("a long form", "30 84 0000000c 020101 65 07 0a0100 0400 0400", Done("")),
]


@pytest.mark.parametrize(("what", "octets", "answer"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers_are_read(what: str, octets: str, answer: Found | Done) -> None:
    assert read_message(bytes.fromhex(octets)) == answer
    assert message_length(bytes.fromhex(octets)[:8]) == len(bytes.fromhex(octets))


def test_referrals_are_passed_over() -> None:
    assert read_message(bytes.fromhex("30 0a 020101 73 05 0403 783a79")) is None


@pytest.mark.parametrize(
    "octets",
    [
        "30 13 020101 64 0e 0402 4341 30 08 30 06 0401 78 31 01 00",
        "30 0c 020102 65 07 0a0100 0400 0400",
        "30 0c 020100 78 07 0a0100 0400 0400",
        "30 0c 020101 61 07 0a0100 0400 0400",
        "30 0c 020101 65 07 0a0101 0400 0409",
        "31 00",
        "30 80",
    ],
)
def test_what_is_no_answer_is_invalid(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_message(bytes.fromhex(octets))


@pytest.mark.parametrize("octets", ["", "30", "3084", "30840000"])
def test_the_length_of_a_message_may_not_be_there_yet(octets: str) -> None:
    assert message_length(bytes.fromhex(octets)) is None


@pytest.mark.parametrize("octets", ["4854", "3080", "30850000000000"])
def test_what_has_no_length_is_no_ldap(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        message_length(bytes.fromhex(octets))


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for read in (read_message, message_length):
        with suppress(InvalidSyntax):
            read(octets)
