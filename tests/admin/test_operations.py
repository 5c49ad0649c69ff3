"""What a daemon is told to do: up, down, rekey, log, stop."""

from __future__ import annotations

import trio

from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from tests.admin.daemon import FakeDaemon, association, code_of, talking, text_of


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


async def test_an_association_that_is_gone_meanwhile_is_not_found(serving: FakeDaemon) -> None:
    serving.peers.fading = [7]

    async with talking(serving.path) as talk:
        answer = await talk.ask("down", name="site-a-b")

    assert (code_of(answer), text_of(answer)) == ("not-found", "there is no association 7")
    assert len(serving.answers) == 0
