"""Requests and answers over a real socket."""

from __future__ import annotations

import os

import pytest
import trio

from ikeactors.actors.control import MAX_IN_FLIGHT
from ikeactors.actors.framing import frame
from ikeactors.admin.authority import Authority
from ikeactors.protocol.actions import Level, Report
from tests.admin.daemon import FakeDaemon, code_of, talking, text_of


async def test_version_names_the_protocol(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("version")

    assert answer["ok"] is True
    assert answer["result"]["protocol_versions"] == [1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"name": "site-aa-b"}, "not-found", "nearest: site-a-b"),
        ({"name": "net"}, "invalid-argument", "site-a-b/net, site-a-c/net"),
        ({}, "invalid-argument", "name: missing"),
        ({"name": 7}, "invalid-argument", "name: must be a string"),
        ({"nmae": "x"}, "invalid-argument", "nearest: name"),
        ({"name": "site-a-b", "timeout": -1}, "invalid-argument", "timeout: must be from 0"),
        ({"name": "site-a-b", "timeout": float("nan")}, "invalid-argument", "timeout"),
        ({"name": "site-a-b", "timeout": True}, "invalid-argument", "timeout"),
    ],
)
async def test_a_wrong_argument_is_refused_with_what_would_be_right(
    serving: FakeDaemon, arguments: dict[str, object], code: str, words: str
) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("up", **arguments)

    assert code_of(answer) == code
    assert words in text_of(answer)
    assert not serving.peers.initiated


async def test_events_of_a_connection_that_is_not_there_are_refused(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("events", connection="site-a-z")

    assert code_of(answer) == "not-found"


async def test_events_are_numbered_and_filtered(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        begun = await talk.ask("events", names=["ike-sa-*"], connection="site-a-b", level="info")
        serving.hub.publish(Report("ike-sa-established", "Up.", connection="site-a-b"), 3)
        serving.hub.publish(Report("ike-sa-established", "Up.", connection="site-a-c"), 4)
        serving.hub.publish(Report("child-sa-installed", "In.", connection="site-a-b"), 3)
        serving.hub.publish(Report("ike-sa-x", "Small.", Level.DEBUG, "site-a-b"), 3)
        serving.hub.publish(
            Report("ike-sa-closed", "Gone.", connection="site-a-b", details={"spi": "00"}), 3
        )
        events = [await talk.hear(), await talk.hear()]

    assert begun["result"] == {"subscription": 1}
    assert [one["subscription"] for one in events if one] == [1, 1]
    first, second = (one["event"] for one in events if one)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["sequence"], second["sequence"]) == (1, 5)
    assert (second["name"], second["association"], second["details"]) == (
        "ike-sa-closed",
        3,
        {"spi": "00"},
    )


async def test_a_subscription_ends_when_told_to(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        await talk.ask("events", request_id=5)
        assert (await talk.ask("unsubscribe", subscription=5))["ok"] is True
        assert code_of(await talk.ask("unsubscribe", subscription=5)) == "not-found"

    assert serving.hub.statistics().subscribers == 0


async def test_requests_are_answered_in_any_order(serving: FakeDaemon) -> None:
    serving.peers.is_silent = True

    async with talking(serving.path) as talk:
        await talk.say("up", request_id=1, name="site-a-b", timeout=0)
        await talk.say("version", request_id=2)
        answer = await talk.hear()

    assert answer is not None
    assert (answer["id"], answer["ok"]) == (2, True)


async def test_another_version_of_the_protocol_is_refused(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        await talk.say("version", version=2)
        answer = await talk.hear()

    assert answer is not None
    assert code_of(answer) == "unsupported-version"
    assert answer["error"]["details"] == {"versions": [1]}  # type: ignore[index]


async def test_an_unknown_command_is_refused_with_the_nearest(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("list-sa")

    assert code_of(answer) == "unknown-command"
    assert "nearest: list-sas" in text_of(answer)


@pytest.mark.parametrize("body", [b"", b"\xc1\xc1\xc1\xc1", b"\x93\x01\x02\x03", b"\x81\x01\x02"])
async def test_octets_that_are_no_request_are_refused_and_the_next_is_heard(
    serving: FakeDaemon, body: bytes
) -> None:
    async with talking(serving.path) as talk:
        await talk.say_octets(frame(body))
        refused = await talk.hear()
        answer = await talk.ask("version")

    assert refused is not None
    assert (refused["id"], code_of(refused)) == (None, "invalid-argument")
    assert answer["ok"] is True


async def test_whoever_is_not_permitted_may_not_even_read(
    daemon: FakeDaemon, nursery: trio.Nursery
) -> None:
    class Nobody(Authority):
        def permits(self, caller: object) -> bool:
            return False

    daemon.authority = Nobody(os.geteuid())
    nursery.start_soon(daemon.run)

    async with talking(daemon.path) as talk:
        assert code_of(await talk.ask("version")) == "not-permitted"
        assert await talk.hear() is None


async def test_a_request_too_many_is_told_that_it_is_busy(serving: FakeDaemon) -> None:
    serving.peers.is_silent = True

    async with talking(serving.path) as talk:
        for number in range(MAX_IN_FLIGHT):
            await talk.say("up", request_id=number, name="site-a-b", timeout=0)
        await talk.say("version", request_id=99)
        answer = await talk.hear()

    assert answer is not None
    assert (answer["id"], code_of(answer)) == (99, "busy")


async def test_a_frame_too_large_is_told_as_such_before_the_end(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        await talk.say_octets(b"\x80\x00\x00\x00")
        answer = await talk.hear()
        end = await talk.hear()

    assert answer is not None
    assert (answer["id"], code_of(answer), end) == (None, "too-large", None)


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("down", {"name": "site-a-b", "spi": "xyz"}, "spi: must be an SPI"),
        ("down", {"name": "site-a-b", "spi": "0"}, "spi: must be an SPI"),
        ("rekey", {"name": "site-a-b", "ike": 1}, "ike: must be true or false"),
        ("unsubscribe", {"subscription": "1"}, "subscription: must be an integer"),
        ("events", {"names": "ike-*"}, "names: must be a list"),
        ("status", {"connection": "x" * 300}, "connection: must be a string of at most"),
        ("up", {"name": ""}, "name: must be a string of 1"),
        ("log-level", {"level": "default"}, "only a connection has a default"),
    ],
)
async def test_every_kind_of_argument_is_checked(
    serving: FakeDaemon, command: str, arguments: dict[str, object], words: str
) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask(command, **arguments)

    assert code_of(answer) == "invalid-argument"
    assert words in text_of(answer)
