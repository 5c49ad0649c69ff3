"""Objects of the core as octets."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ikeactors.iana import Encr, NotifyType
from ikeactors.protocol.actions import Report, SendDatagram, Trace
from ikeactors.protocol.encoding import Undecodable, decode, encode
from ikeactors.protocol.events import Endpoint, TimerExpired
from ikeactors.protocol.settings import Unique
from tests.fakes.sas import sa
from tests.pair import Pair, connection

HERE = Endpoint(ip_address("2001:db8::1"), 500)


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, -1, 2.5, "text", b"octets", True, ()),
        {"key": (1, {"inner": b""})},
        ip_address("192.0.2.1"),
        HERE,
        Encr(65000),
        NotifyType.COOKIE,
        Unique.REPLACE,
        TimerExpired(),
        SendDatagram(b"message", HERE, HERE),
        Report("name", "text", details={"count": 3}),
        connection(),
        sa(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    again = decode(encode(value))
    assert again == value
    assert type(again) is type(value)
    assert encode(again) == encode(value)


def test_everything_that_two_ends_ask_for_is_encoded() -> None:
    pair = Pair().establish()
    for end in pair.ends():
        assert any(isinstance(action, Trace) for action in end.actions)
        assert decode(encode(tuple(end.actions))) == tuple(end.actions)


def test_a_field_that_an_older_version_did_not_write_has_its_default() -> None:
    assert decode(msgpack.packb(["Report", "name", "text"])) == Report("name", "text")


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        (["Nothing"], "'Nothing' is not known"),
        ([7], "'7' is not known"),
        ([], "does not say what it is"),
        (["Endpoint"], "no Endpoint"),
        (["IPv4Address", b"123"], "no IPv4Address"),
        (["Unique", "sometimes"], "no Unique"),
    ],
)
def test_what_is_no_object_is_refused(plain: list[Any], why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        decode(msgpack.packb(plain))


def test_what_is_nested_without_end_is_refused() -> None:
    plain: list[Any] = [0]
    for _ in range(200):
        plain = [0, plain]
    with pytest.raises(Undecodable, match="nested too deeply"):
        decode(msgpack.packb(plain))


@given(st.binary(max_size=60))
@example(b"\x82\x00\x00\x90\x00").via("a list as the key of a map")
def test_any_octets_are_an_object_or_are_refused(octets: bytes) -> None:
    try:
        decode(octets)
    except Undecodable as refused:
        assert str(refused)
