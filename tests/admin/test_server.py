"""Requests and answers over a real socket."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest
import trio

from ikeactors.actors.control import MAX_IN_FLIGHT, run_control
from ikeactors.actors.framing import frame
from ikeactors.actors.reconciling import Comparison
from ikeactors.admin.authority import Authority
from ikeactors.admin.server import Dispatcher
from ikeactors.kernel.inventory import Difference, Inventory, StrayPolicy
from ikeactors.kernel.requests import Direction, KernelRefusal, SaUsage
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, Settings
from tests.admin.daemon import SECRET, FakeDaemon, association, talking
from tests.fakes.sas import policy, sa


@pytest.fixture
async def serving(daemon: FakeDaemon, nursery: trio.Nursery) -> FakeDaemon:
    nursery.start_soon(daemon.run)
    return daemon


def code_of(message: dict[str, object]) -> str:
    error = message["error"]
    assert isinstance(error, dict)
    assert message["ok"] is False
    return str(error["code"])


def text_of(message: dict[str, object]) -> str:
    error = message["error"]
    assert isinstance(error, dict)
    return str(error["text"])


async def test_version_names_the_protocol(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("version")

    assert answer["ok"] is True
    assert answer["result"]["protocol_versions"] == [1]  # type: ignore[index]


async def test_status_streams_tunnels_and_sas_then_the_daemon(serving: FakeDaemon) -> None:
    serving.peers.there = {1: association("site-a-b"), 5: association("")}
    serving.failures = {"site-a-c": "nobody answers"}

    async with talking(serving.path) as talk:
        tunnels, sas, end = await talk.ask_all("status")

    up, down = tunnels["progress"]["tunnels"]  # type: ignore[index]
    assert (up["connection"], up["state"], up["ike_sas"]) == ("site-a-b", "ESTABLISHED", 1)
    assert [child["name"] for child in up["children_down"]] == ["voice"]
    assert (down["state"], down["last_failure"]) == ("DOWN", "nobody answers")
    assert [sa["association"] for sa in sas["progress"]["sas"]] == [1, 5]  # type: ignore[index]
    result = end["result"]
    assert isinstance(result, dict)
    assert result["uptime"] == 90.0
    assert result["ike_sas"] == {"ESTABLISHED": 2}
    assert result["statistics"] == {"sockets": {"received": 7, "dropped": {"too short": 2}}}
    assert (result["kernel"], result["kernel_reason"]) == ("userspace", "the kernel has no ESP")


async def test_sas_are_told_with_their_usage(serving: FakeDaemon) -> None:
    serving.peers.there = {1: association("site-a-b")}

    async with talking(serving.path) as talk:
        progress, end = await talk.ask_all("list-sas")

    (sa,) = progress["progress"]["sas"]  # type: ignore[index]
    (child,) = sa["children"]
    assert (child["spi_in"], child["octets_in"], child["packets_out"]) == ("c0ffee01", 84, 1)
    assert end["result"] == {"count": 1}


async def test_a_kernel_that_does_not_answer_leaves_the_usage_out(
    daemon: FakeDaemon, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    daemon.peers.there = {1: association("site-a-b")}
    daemon.has_usage = False
    nursery.start_soon(daemon.run)

    async with talking(daemon.path) as talk:
        progress, _ = await talk.ask_all("list-sas")

    assert progress["progress"]["sas"][0]["children"][0]["octets_in"] is None  # type: ignore[index]


async def test_many_sas_come_in_messages_below_the_limit(serving: FakeDaemon) -> None:
    serving.peers.there = {number: association("site-a-b") for number in range(1, 3001)}

    async with talking(serving.path) as talk:
        *parts, end = await talk.ask_all("list-sas")

    told = [sa["association"] for part in parts for sa in part["progress"]["sas"]]  # type: ignore[index]
    assert told == list(range(1, 3001))
    assert end["result"] == {"count": 3000}


async def test_an_answer_beyond_the_limit_is_refused_in_words(serving: FakeDaemon) -> None:
    serving.peers.there = {1: association("site-a-b", children=4000)}

    async with talking(serving.path) as talk:
        assert code_of(await talk.ask("list-sas")) == "too-large"
        assert (await talk.ask("version"))["ok"] is True


async def test_connections_are_listed_as_configured(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        progress, end = await talk.ask_all("list-conns")

    names = [one["name"] for one in progress["progress"]["conns"]]  # type: ignore[index]
    assert names == ["site-a-b", "site-a-c"]
    assert end["result"] == {"count": 2}


async def test_nothing_that_is_told_holds_a_secret(serving: FakeDaemon) -> None:
    serving.peers.there = {1: association("site-a-b")}
    told = ""

    async with talking(serving.path) as talk:
        for command in ("status", "list-conns", "list-sas", "statistics", "kernel", "version"):
            told += json.dumps(await talk.ask_all(command))

    assert SECRET.decode() not in told
    assert SECRET.hex() not in told


async def test_up_tells_the_exchange_and_then_the_sa(serving: FakeDaemon) -> None:
    serving.peers.script = [
        Report("message-sent", "HDR, SAi1, KEi, Ni", Level.DEBUG, "site-a-b"),
        Report("message-received", "HDR, SAr1, KEr, Nr", Level.DEBUG, "site-a-b"),
    ]

    async with talking(serving.path) as talk:
        sent, received, end = await talk.ask_all("up", name="site-a-b/voice")

    assert sent["progress"]["text"] == "HDR, SAi1, KEi, Ni"  # type: ignore[index]
    assert received["progress"]["name"] == "message-received"  # type: ignore[index]
    assert end["result"]["sas"][0]["connection"] == "site-a-b"  # type: ignore[index]
    assert serving.peers.initiated == [("site-a-b", ("voice",))]


async def test_up_that_fails_says_why(serving: FakeDaemon) -> None:
    serving.peers.failure = "The peer refuses every proposal."

    async with talking(serving.path) as talk:
        answer = await talk.ask("up", name="lan")

    assert (code_of(answer), text_of(answer)) == ("failed", "The peer refuses every proposal.")
    assert serving.peers.initiated == [("site-a-c", ("lan",))]


async def test_up_that_takes_too_long_tells_the_last_that_happened(
    daemon: FakeDaemon, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    daemon.peers.is_silent = True
    daemon.peers.script = [Report("message-retransmitted", "Request 0 is sent again.")]
    nursery.start_soon(daemon.run)

    async with talking(daemon.path) as talk:
        answer = await talk.ask("up", name="site-a-b", timeout=30)

    assert code_of(answer) == "timeout"
    assert "after 30 seconds" in text_of(answer)
    assert "Request 0 is sent again." in text_of(answer)
    assert len(daemon.answers) == 0


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


async def test_a_connection_that_cannot_be_called_is_an_invalid_argument(
    serving: FakeDaemon,
) -> None:
    serving.peers.unfit = True

    async with talking(serving.path) as talk:
        answer = await talk.ask("up", name="site-a-b")

    assert code_of(answer) == "invalid-argument"
    assert text_of(answer).startswith("connections.site-a-b.remote_addrs: ")
    assert "no single remote address" in text_of(answer)


async def test_down_deletes_every_ike_sa_of_a_connection(serving: FakeDaemon) -> None:
    serving.peers.there = {3: association("site-a-b"), 4: association("site-a-b")}

    async with talking(serving.path) as talk:
        answer = await talk.ask("down", name="site-a-b")

    assert answer["ok"] is True
    assert serving.peers.sent == [
        (3, DeletionRequested(None, None, 1)),
        (4, DeletionRequested(None, None, 2)),
    ]


async def test_down_takes_one_child_sa_by_its_spi(serving: FakeDaemon) -> None:
    serving.peers.there = {3: association("site-a-b")}

    async with talking(serving.path) as talk:
        await talk.ask("down", name="site-a-b/net", spi="c0ffee01")

    assert serving.peers.sent == [(3, DeletionRequested(None, 0xC0FFEE01, 1))]


async def test_down_of_a_child_that_is_not_up_names_it(serving: FakeDaemon) -> None:
    serving.peers.there = {3: association("site-a-b")}

    async with talking(serving.path) as talk:
        answer = await talk.ask("down", name="site-a-b/voice")

    assert (code_of(answer), text_of(answer)) == ("not-found", "site-a-b/voice is not up")
    assert serving.peers.sent == []


async def test_events_of_a_connection_that_is_not_there_are_refused(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("events", connection="site-a-z")

    assert code_of(answer) == "not-found"


async def test_down_of_what_is_not_up_is_not_found(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        assert code_of(await talk.ask("down", name="site-a-b")) == "not-found"


async def test_rekey_of_a_connection_rekeys_its_children(serving: FakeDaemon) -> None:
    serving.peers.there = {3: association("site-a-b", children=2)}

    async with talking(serving.path) as talk:
        await talk.ask("rekey", name="site-a-b")
        await talk.ask("rekey", name="site-a-b", ike=True)

    assert serving.peers.sent == [
        (3, RekeyRequested("net", None, 1)),
        (3, RekeyRequested(None, None, 2)),
    ]


async def test_rekey_of_an_ike_sa_takes_no_child(serving: FakeDaemon) -> None:
    serving.peers.there = {3: association("site-a-b")}

    async with talking(serving.path) as talk:
        answer = await talk.ask("rekey", name="site-a-b/net", ike=True)

    assert code_of(answer) == "invalid-argument"


async def test_the_log_level_of_one_connection_is_changed_and_taken_back(
    serving: FakeDaemon,
) -> None:
    async with talking(serving.path) as talk:
        changed = await talk.ask("log-level", level="debug", connection="site-a-b")
        back = await talk.ask("log-level", level="default", connection="site-a-b")
        wrong = await talk.ask("log-level", level="loud")

    assert changed["result"] == {"*": "info", "site-a-b": "debug"}
    assert back["result"] == {"*": "info"}
    assert "debug, info, warning, error" in text_of(wrong)


async def test_stop_is_answered_before_it_stops(serving: FakeDaemon) -> None:
    async with talking(serving.path) as talk:
        answer = await talk.ask("stop")

    assert answer["result"] == {"stopping": True}
    assert serving.stopped


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


async def test_a_thousand_connections_are_listed(serving: FakeDaemon) -> None:
    serving.settings = Settings(
        tuple(
            ConnectionSettings(f"c{number}", children=(ChildSettings("net"),))
            for number in range(1000)
        )
    )

    async with talking(serving.path) as talk:
        *parts, end = await talk.ask_all("list-conns")

    assert sum(len(part["progress"]["conns"]) for part in parts) == 1000  # type: ignore[index]
    assert end["result"] == {"count": 1000}


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


async def test_a_kernel_that_refuses_leaves_the_usage_out(
    daemon: FakeDaemon, nursery: trio.Nursery
) -> None:
    async def refuse(sa_ids: object) -> list[SaUsage]:
        raise KernelRefusal(1, "not permitted")

    daemon.peers.there = {1: association("site-a-b")}
    surroundings = dataclasses.replace(daemon.surroundings(), usage=refuse)
    nursery.start_soon(run_control, daemon.listener, Dispatcher(surroundings), daemon.hub)

    async with talking(daemon.path) as talk:
        progress, _ = await talk.ask_all("list-sas")

    assert progress["progress"]["sas"][0]["children"][0]["octets_in"] is None  # type: ignore[index]


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


async def test_an_association_that_is_gone_meanwhile_is_not_found(serving: FakeDaemon) -> None:
    serving.peers.fading = [7]

    async with talking(serving.path) as talk:
        answer = await talk.ask("down", name="site-a-b")

    assert (code_of(answer), text_of(answer)) == ("not-found", "there is no association 7")
    assert len(serving.answers) == 0


async def test_what_the_kernel_holds_is_told_with_each_difference(
    serving: FakeDaemon,
) -> None:
    found = Difference(
        missing_sas=(sa().sa_id,),
        orphan_sas=(sa(0x2000).sa_id,),
        missing_policies=(policy(),),
        replaced_policies=(policy(),),
        orphan_policies=(StrayPolicy(b"", Direction.OUT, 1, "out here === there"),),
    )
    serving.comparison = Comparison(2, 3, 4, Inventory(foreign_policies=5), found)
    async with talking(serving.path) as talk:
        progress, end = await talk.ask_all("kernel")
        serving.silent_kernel = "it says nothing"
        refused = await talk.ask("kernel")
    differences = progress["progress"]["differences"]  # type: ignore[index]
    assert [(one["what"], one["state"]) for one in differences] == [
        ("sa", "missing"),
        ("sa", "orphan"),
        ("policy", "missing"),
        ("policy", "replaced"),
        ("policy", "orphan"),
    ]
    assert differences[0]["text"] == "ESP 00001000 10.77.0.1 > 10.77.0.2"
    assert end["result"]["sas"] == {  # type: ignore[index]
        "wanted": 2, "missing": 1, "orphans": 1, "foreign": 4
    }  # fmt: skip
    assert (code_of(refused), text_of(refused)) == ("failed", "it says nothing")
