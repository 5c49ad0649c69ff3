"""Notifies and the formats of their data."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import (
    IpCompression,
    KeyExchangeMethod,
    NotifyType,
    PayloadType,
    Prf,
    ProtocolId,
)
from ikeactors.wire.notify import (
    FORMATS,
    AddressPair,
    Notify,
    read_data,
    read_no_nats_allowed,
    read_notify,
    write_group,
    write_hash_algorithms,
    write_no_nats_allowed,
    write_notify,
    write_u32,
)
from ikeactors.wire.puzzles import Puzzle, read_puzzle, write_puzzle

TABLE = [
    ("a status", Notify(NotifyType.INITIAL_CONTACT), "00004000"),
    ("a cookie", Notify(NotifyType.COOKIE, b"ab"), "00004006 6162"),
    (
        "a Child SA",
        Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"abcd"),
        "03044009 61626364",
    ),
    ("an unknown type", Notify(NotifyType(40960), b"x", ProtocolId(9), b"yz"), "0902a000 797a 78"),
]


@pytest.mark.parametrize(("description", "value", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_notifies_are_read_and_written(description: str, value: Notify, octets: str) -> None:
    assert read_notify(bytes.fromhex(octets)) == value
    assert write_notify(value) == bytes.fromhex(octets)


@pytest.mark.parametrize("octets", ["", "000040", "03044009 616263", "00ff4009"])
def test_a_malformed_notify_is_invalid(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_notify(bytes.fromhex(octets))


DATA = [
    (NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\x21", PayloadType.SA),
    (NotifyType.INVALID_KE_PAYLOAD, b"\0\x1f", KeyExchangeMethod.CURVE25519),
    (NotifyType.INVALID_MESSAGE_ID, b"\0\0\1\0", 256),
    (NotifyType.SET_WINDOW_SIZE, b"\0\0\0\5", 5),
    (NotifyType.AUTH_LIFETIME, b"\0\0\x0e\x10", 3600),
    (NotifyType.COOKIE, b"x" * 64, b"x" * 64),
    (NotifyType.PUZZLE, b"\0\5\x10", Puzzle(Prf.HMAC_SHA2_256, 16)),
    (NotifyType.COOKIE2, b"x" * 8, b"x" * 8),
    (
        NotifyType.NO_NATS_ALLOWED,
        b"\xc0\0\2\1\xc0\0\2\2\x01\xf4\x11\x94",
        AddressPair(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"), 500, 4500),
    ),
    (NotifyType.NAT_DETECTION_SOURCE_IP, b"x" * 20, b"x" * 20),
    (NotifyType.NAT_DETECTION_DESTINATION_IP, b"x" * 20, b"x" * 20),
    (NotifyType.SIGNATURE_HASH_ALGORITHMS, b"\0\2\0\3", (2, 3)),
    (NotifyType.ADDITIONAL_IP4_ADDRESS, b"\x0a\0\0\1", IPv4Address("10.0.0.1")),
    (NotifyType.ADDITIONAL_IP6_ADDRESS, bytes(16), IPv6Address("::")),
    (NotifyType.QUICK_CRASH_DETECTION, b"x" * 16, b"x" * 16),
    (NotifyType.IPCOMP_SUPPORTED, b"\x12\x34\x02", (0x1234, IpCompression.DEFLATE)),
    (NotifyType.IPCOMP_SUPPORTED, b"\x12\x34\x01attributes", (0x1234, IpCompression.OUI)),
]


@pytest.mark.parametrize(("kind", "data", "value"), DATA, ids=[row[0].name for row in DATA])
def test_data_is_read_by_its_type(kind: NotifyType, data: bytes, value: object) -> None:
    assert read_data(Notify(kind, data)) == value


def test_every_format_is_in_the_table_above() -> None:
    assert set(FORMATS) == {kind for kind, _, _ in DATA}


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_forbidden_nats_are_written_as_they_are_read(address: str) -> None:
    pair = AddressPair(ip_address(address), ip_address(address), 500, 4500)
    assert read_no_nats_allowed(write_no_nats_allowed(pair)) == pair


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("length", [1, 65, 129])
def test_data_of_another_length_is_invalid(kind: NotifyType, length: int) -> None:
    fits = {
        (NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, 1),
        (NotifyType.COOKIE, 1),
        (NotifyType.QUICK_CRASH_DETECTION, 65),
    }
    if (kind, length) in fits:
        return
    with pytest.raises(InvalidSyntax):
        read_data(Notify(kind, bytes(length)))


def test_what_is_written_about_a_puzzle_is_read_again() -> None:
    puzzle = Puzzle(Prf(4711), 255)
    assert read_puzzle(write_puzzle(puzzle)) == puzzle


def test_an_empty_cookie_is_invalid() -> None:
    with pytest.raises(InvalidSyntax):
        read_data(Notify(NotifyType.COOKIE))


def test_data_without_a_format_stays_octets() -> None:
    assert read_data(Notify(NotifyType(40960), b"ab")) == b"ab"


def test_data_is_written_as_it_is_read() -> None:
    assert write_group(KeyExchangeMethod.CURVE25519) == b"\0\x1f"
    assert write_hash_algorithms((2, 3)) == b"\0\2\0\3"
    assert write_u32(5) == b"\0\0\0\5"
