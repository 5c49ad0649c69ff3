"""What is asked of a daemon: tunnels, SAs, connections, the kernel."""

from __future__ import annotations

import dataclasses
import json

import trio

from ikeactors.actors.control import run_control
from ikeactors.actors.reconciling import Comparison
from ikeactors.admin.server import Dispatcher
from ikeactors.kernel.inventory import Difference, Inventory, StrayPolicy
from ikeactors.kernel.requests import Direction, KernelRefusal, SaUsage
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, Settings
from tests.admin.daemon import SECRET, FakeDaemon, association, code_of, talking, text_of
from tests.fakes.sas import policy, sa


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
