"""Checking a configuration, and what a daemon tells systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from ikeactors.cli import main
from ikeactors.cli.local import notify_ready
from ikeactors.protocol.actions import Report
from tests.admin.daemon import FakeDaemon

GOOD = """
[connections.gw]
remote_addrs = "10.77.0.2"
local.id = "a.lab"
remote.id = "b.lab"
children.net.remote_ts = "10.2.0.0/24"

[secrets.lab]
ids = ["a.lab", "b.lab"]
secret = "a secret of many characters"
"""


def written(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def test_a_kernel_that_carries_no_esp_is_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "ike.toml", f'[daemon]\nkernel = "userspace"\n{GOOD}')
    assert main(["check", "--kernel", path]) == 0
    assert "not asked" in capsys.readouterr().out


def test_what_the_running_kernel_lacks_is_told_with_who_needs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever kernel that is: its verdict and the exit code say the same."""
    path = written(tmp_path / "ike.toml", f'[daemon]\nkernel = "xfrm"\n{GOOD}')
    code = main(["check", "--kernel", path, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is (code == 0)
    assert bool(document["kernel"]) is (code == 1)
    assert main(["check", "--kernel", path]) == code
    assert "kernel: " in capsys.readouterr().out


def test_a_good_configuration_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "ikeactors.toml", GOOD)

    assert main(["check", path]) == 0
    assert capsys.readouterr().out == f"{path}: no mistakes; 1 connection\n"


def test_every_mistake_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = GOOD.replace("remote_addrs", "remote_adrs") + '[daemon]\nlog_level = "loud\\u001b"\n'
    path = written(tmp_path / "ikeactors.toml", wrong)

    assert main(["check", path]) == 1
    out, err = capsys.readouterr()
    assert "remote_adrs" in out
    assert "log_level" in out
    assert "\x1b" not in out
    assert err == f"{path}: {len(out.splitlines())} mistakes\n"


def test_mistakes_for_programs_are_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "ikeactors.toml", '[daemon]\nlog_level = "loud"\n')

    assert main(["check", path, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["mistakes"][0]["key_path"] == "daemon.log_level"


@pytest.mark.parametrize("text", [None, "[daemon\n", "\0"])
def test_a_file_that_cannot_be_read_is_a_mistake_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = tmp_path / "ikeactors.toml"
    if text is not None:
        written(path, text)

    assert main(["check", str(path)]) == 1
    out, _ = capsys.readouterr()
    assert str(path) in out


@pytest.mark.parametrize(
    ("redirection", "told"),
    [(">&-", "standard output is closed"), (">/dev/full", "standard output: No space left")],
)
def test_where_nothing_can_be_printed_it_is_said_in_a_line(
    tmp_path: Path, redirection: str, told: str
) -> None:
    path = written(tmp_path / "ikeactors.toml", GOOD)
    command = f"{sys.executable} -m ikeactors.cli check {path} {redirection}"

    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith(f"ikeactors: {told}")
    assert len(done.stderr.splitlines()) == 1


async def test_an_interrupted_up_says_that_the_daemon_goes_on(
    daemon: FakeDaemon, nursery: trio.Nursery
) -> None:
    daemon.peers.is_silent = True
    nursery.start_soon(daemon.run)
    argv = [sys.executable, "-m", "ikeactors.cli", "--socket", str(daemon.path), "up", "site-a-b"]
    # Who runs the tests in the background may ignore it, and what is started inherits that.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = await trio.lowlevel.open_process(argv, stdout=-1, stderr=-1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stderr is not None
    while not daemon.peers.initiated:
        await trio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = b"".join([chunk async for chunk in process.stderr])

    assert await process.wait() == 130
    assert b"the daemon goes on trying; to stop it: ikeactors down site-a-b" in errors
    assert b"Traceback" not in errors
    await process.stdout.aclose()


def test_systemd_is_told_where_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify_ready()
        assert systemd.recv(64) == b"READY=1"


def test_systemd_may_ask_in_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ikeactors-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify_ready()
        assert systemd.recv(64) == b"READY=1"


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_ready()


async def test_an_interrupt_ends_quietly(daemon: FakeDaemon, nursery: trio.Nursery) -> None:
    nursery.start_soon(daemon.run)
    argv = [sys.executable, "-m", "ikeactors.cli", "--socket", str(daemon.path), "events"]
    async with await trio.open_file(os.devnull) as nothing:
        process = await trio.lowlevel.open_process(
            argv, stdin=nothing.wrapped, stdout=-1, stderr=-1
        )
        assert process.stdout is not None
        assert process.stderr is not None
        while not daemon.hub.statistics().subscribers:
            await trio.sleep(0.01)
        daemon.hub.publish(Report("here", "Here."))
        assert b"here: Here." in await process.stdout.receive_some()
        process.send_signal(signal.SIGINT)
        errors = b"".join([chunk async for chunk in process.stderr])

    assert await process.wait() == 130
    assert errors == b""
    await process.stdout.aclose()


async def test_a_reader_that_has_seen_enough_is_no_error(
    daemon: FakeDaemon, nursery: trio.Nursery
) -> None:
    nursery.start_soon(daemon.run)
    argv = [sys.executable, "-m", "ikeactors.cli", "--socket", str(daemon.path), "events"]
    process = await trio.lowlevel.open_process(argv, stdout=-1, stderr=-1)
    assert process.stdout is not None
    assert process.stderr is not None
    while not daemon.hub.statistics().subscribers:
        await trio.sleep(0.01)
    await process.stdout.aclose()
    daemon.hub.publish(Report("here", "Here."))
    errors = b"".join([chunk async for chunk in process.stderr])

    assert await process.wait() == 141
    assert errors == b""
