"""The commands against a daemon: what they print, where, and how they end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import trio

from ikeactors.actors.reconciling import Comparison
from ikeactors.cli import main
from ikeactors.kernel.inventory import Difference, Inventory
from ikeactors.protocol.actions import Level, Report
from tests.admin.daemon import SECRET, FakeDaemon, association
from tests.cli.conftest import Command
from tests.fakes.sas import policy

STATUS = """\
ikeactors 0.1.0, process 4711, up 1m30s, kernel: userspace (the kernel has no ESP)
connections: 2, IKE SAs: 1 ESTABLISHED, Child SAs: 1

site-a-b  IKEv2  ESTABLISHED  10.77.0.1 [a.lab] === 10.77.0.2 [b.lab]\
  AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519  rekey in 3h51m
  net     ESP    INSTALLED    10.1.0.0/24 === 10.2.0.0/24\
  in c0ffee01 (84 B, 1 packet)  out c0ffef01 (84 B, 1 packet)  AES_GCM_16_128  rekey in 52m
  voice          DOWN         dynamic === dynamic
site-a-c  IKEv2  DOWN         (last failure: nobody answers at 10.77.0.3)
  net            DOWN         dynamic === dynamic
  lan            DOWN         dynamic === dynamic
"""


async def test_status_shows_tunnels_up_and_down(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.there = {1: association("site-a-b")}
    daemon.failures = {"site-a-c": "nobody answers at 10.77.0.3"}

    printed = await command("status")

    assert (printed.code, printed.err) == (0, "")
    assert printed.out == STATUS


async def test_status_of_one_connection_shows_only_its_tunnels(
    daemon: FakeDaemon, command: Command
) -> None:
    daemon.peers.there = {1: association("site-a-b")}

    printed = await command("status", "site-a-c")

    assert printed.out.splitlines()[0] == "site-a-c  IKEv2  DOWN"
    assert "site-a-b" not in printed.out


async def test_status_of_a_child_shows_no_other(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.there = {1: association("site-a-b")}

    up = (await command("status", "site-a-b/net")).out.splitlines()
    down = (await command("status", "voice")).out.splitlines()

    assert [line.split()[0] for line in up] == ["site-a-b", "net"]
    assert [line.split()[:2] for line in down] == [["site-a-b", "IKEv2"], ["voice", "DOWN"]]


async def test_status_for_programs_is_one_document(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.there = {1: association("site-a-b")}

    document = json.loads((await command("status", "--json")).out)

    assert document["daemon"]["pid"] == 4711
    assert [one["state"] for one in document["tunnels"]] == ["ESTABLISHED", "DOWN"]
    assert document["sas"][0]["children"][0]["spi_in"] == "c0ffee01"


async def test_a_peers_identity_cannot_move_the_cursor(
    daemon: FakeDaemon, command: Command
) -> None:
    evil = dataclasses.replace(association("site-a-b"), remote_id="b\x1b[2J\nsite-a-c UP")
    daemon.peers.there = {1: evil}

    for argv in (("status",), ("list", "sas"), ("status", "--json")):
        printed = await command(*argv)
        assert "\x1b" not in printed.out
        assert "\nsite-a-c UP" not in printed.out


@pytest.mark.parametrize(
    "argv",
    [("status",), ("list", "conns"), ("list", "sas"), ("statistics",), ("kernel",), ("version",)],
)
async def test_no_command_prints_a_secret(
    daemon: FakeDaemon, command: Command, argv: tuple[str, ...]
) -> None:
    daemon.peers.there = {1: association("site-a-b")}

    printed = (await command(*argv)).out + (await command(*argv, "--json")).out

    assert SECRET.decode() not in printed
    assert SECRET.hex() not in printed


async def test_connections_are_a_table(command: Command) -> None:
    printed = await command("list", "conns")

    assert printed.out.splitlines() == [
        "CONNECTION  LOCAL        REMOTE       AUTH       CHILDREN",
        "site-a-b    %any [%any]  %any [%any]  psk / psk  net, voice",
        "site-a-c    %any [%any]  %any [%any]  psk / psk  net, lan",
    ]


async def test_up_shows_the_exchange_and_the_sa(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.script = [
        Report("message-sent", "--> HDR, SAi1, KEi, Ni", Level.DEBUG),
        Report("message-received", "HDR, SAr1, KEr, Nr", Level.DEBUG),
        Report("proposal-chosen", "Small talk.", Level.DEBUG),
        Report("ike-sa-established", "The IKE SA is up.\x1b"),
    ]

    printed = await command("up", "site-a-b")

    assert (printed.code, printed.err) == (0, "")
    assert printed.out.splitlines()[:4] == [
        "--> HDR, SAi1, KEi, Ni",
        "<-- HDR, SAr1, KEr, Nr",
        "    The IKE SA is up.\\x1b",
        "site-a-b is up",
    ]
    assert "ESTABLISHED" in printed.out


async def test_up_with_verbose_leaves_nothing_out(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.script = [Report("proposal-chosen", "Small talk.", Level.DEBUG)]

    assert "Small talk." in (await command("up", "site-a-b", "--verbose")).out


async def test_long_lists_of_algorithms_are_shortened_unless_all_is_wanted(
    daemon: FakeDaemon, command: Command
) -> None:
    offer = "/".join(f"AES_GCM_16-{bits}" for bits in range(128, 138))
    suite = "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519"
    daemon.peers.script = [Report("offered", f"IKE:{offer} for 10.1.0.0/24, {suite}")]

    short = (await command("up", "site-a-b")).out
    long = (await command("up", "site-a-b", "--verbose")).out

    shortened = "IKE:AES_GCM_16-128/AES_GCM_16-129/AES_GCM_16-130/... for 10.1.0.0/24"
    assert f"    {shortened}, {suite}" in short
    assert offer in long


async def test_up_that_fails_explains_on_stderr_and_ends_with_1(
    daemon: FakeDaemon, command: Command
) -> None:
    daemon.peers.failure = "The peer refuses every proposal: it wants\x07 something else."

    printed = await command("up", "site-a-b")

    assert (printed.code, printed.out) == (1, "")
    assert printed.err == (
        "ikeactors: The peer refuses every proposal: it wants\\x07 something else.\n"
    )


async def test_a_failure_for_programs_is_a_document(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.failure = "It says no."

    printed = await command("up", "site-a-b", "--json")

    assert printed.code == 1
    assert json.loads(printed.out) == {
        "ok": False,
        "error": {"code": "failed", "text": "It says no."},
    }


async def test_up_that_takes_too_long_ends_with_1(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.is_silent = True

    printed = await command("up", "site-a-b", "--timeout", "0.01s")

    assert printed.code == 1
    assert "is not up after 0.01 seconds" in printed.err


async def test_an_unknown_name_is_refused_with_the_nearest(command: Command) -> None:
    printed = await command("up", "site-aa-b")

    assert printed.code == 1
    assert "nearest: site-a-b" in printed.err


async def test_down_and_rekey_say_that_it_is_done(daemon: FakeDaemon, command: Command) -> None:
    daemon.peers.there = {1: association("site-a-b")}

    assert (await command("rekey", "site-a-b", "--ike")).out.startswith("site-a-b is rekeyed\n")
    assert (await command("down", "site-a-b")).out.startswith("site-a-b is down\n")


async def test_the_log_level_is_changed(daemon: FakeDaemon, command: Command) -> None:
    printed = await command("log-level", "debug", "site-a-b")

    assert printed.out.splitlines()[1:] == ["*           info", "site-a-b    debug"]
    assert daemon.levels.all["site-a-b"] is Level.DEBUG


async def test_without_a_level_the_levels_are_shown(daemon: FakeDaemon, command: Command) -> None:
    printed = await command("log-level")

    assert printed.out.splitlines() == ["CONNECTION  LEVEL", "*           info"]


async def test_statistics_have_full_names(command: Command) -> None:
    assert (await command("statistics")).out.splitlines() == [
        "sockets.received           7",
        "sockets.dropped.too short  2",
    ]


async def test_what_the_kernel_holds_is_a_table_and_what_differs_another(
    daemon: FakeDaemon, command: Command
) -> None:
    in_step = (await command("kernel")).out.splitlines()
    found = Difference(missing_policies=(policy(),))
    daemon.comparison = Comparison(2, 3, 0, Inventory(foreign_policies=1), found)
    differing = (await command("kernel")).out.splitlines()

    assert in_step[0].startswith("kernel: userspace (the kernel has no ESP), looked at 0 times")
    assert in_step[1:] == [
        "          WANTED  MISSING  ORPHANS  REPLACED  FOREIGN",
        "SAs       2       0        0        -         0",
        "policies  3       0        0        0         0",
    ]
    assert differing[3:] == [
        "policies  3       1        0        0         1",
        "",
        "WHAT    STATE    ENTRY",
        "policy  missing  out 10.1.0.0/24 === 10.2.0.0/24",
    ]
    document = json.loads((await command("kernel", "--json")).out)
    assert document["differences"][0]["state"] == "missing"
    assert document["policies"]["foreign"] == 1


async def test_reloading_says_what_came_of_it(daemon: FakeDaemon, command: Command) -> None:
    assert (await command("reload-creds")).out == "credentials are reloaded from /etc/ikeactors\n"
    daemon.unreadable = "private/gw.key: others can read it"
    refused = await command("reload-creds")
    assert refused.code == 1
    assert "others can read it" in refused.err


async def test_stop_says_so(daemon: FakeDaemon, command: Command) -> None:
    assert (await command("stop")).out == "the daemon is stopping\n"
    assert daemon.stopped
    assert not daemon.flushed
    await command("stop", "--flush")
    assert daemon.flushed


async def test_events_are_lines_until_the_daemon_ends_them(
    daemon: FakeDaemon, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await daemon.run()

    async def tell() -> None:
        while not daemon.hub.statistics().subscribers:
            await trio.lowlevel.checkpoint()
        details = {"remote": "10.77.0.2"}
        report = Report("ike-sa-up", "It is\nup.", Level.INFO, "site-a-b", details)
        daemon.hub.publish(report, 3)
        daemon.hub.publish(Report("small", "", Level.DEBUG))
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()

    nursery.start_soon(serve)
    nursery.start_soon(tell)
    whole = ["--socket", str(daemon.path), "events", "--filter", "ike-*"]
    code = await trio.to_thread.run_sync(main, whole)
    out, err = capsys.readouterr()

    assert code == 3
    assert "closed the connection" in err
    (line,) = out.splitlines()
    assert line.endswith(" info    site-a-b[3] ike-sa-up: It is\\x0aup. remote=10.77.0.2")


def test_a_daemon_that_is_not_there_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--socket", str(tmp_path / "none.sock"), "status"])

    assert code == 3
    assert "none.sock" in "".join(capsys.readouterr().err.split())


def test_our_version_is_told_without_a_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--socket", str(tmp_path / "none.sock"), "version"]) == 3
    assert capsys.readouterr().out.startswith("ikeactors 0.")


def test_without_a_daemon_programs_get_a_document_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--socket", str(tmp_path / "none.sock"), "status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unreachable"


async def test_policies_without_a_child_sa_come_and_go(
    daemon: FakeDaemon, command: Command
) -> None:
    assert (await command("install", "site-a-b/net")).out == "installed: net\n"
    assert daemon.standing.there == {("site-a-b", "net")}
    assert (await command("uninstall", "site-a-b/net")).out == "uninstalled: net\n"
    assert (await command("uninstall", "site-a-b")).out == "nothing to uninstall\n"
    refused = await command("install", "nowhere")
    assert "no connection or child is named 'nowhere'" in refused.err
