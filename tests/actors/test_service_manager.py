"""What systemd is told of us."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from ikeactors.actors.framing import frame
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.service_manager import (
    Watchdog,
    ask_admin_socket,
    tell_service_manager,
    watchdog_interval,
)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket at which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def said(systemd: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(systemd.recv(1024))
        except BlockingIOError:
            return found


@pytest.mark.parametrize(
    ("microseconds", "process", "interval"),
    [
        ("30000000", "", 7.5),
        ("30000000", str(os.getpid()), 7.5),
        ("30000000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("many", "", None),
    ],
)
def test_signs_of_life_are_given_four_times_as_often_as_asked_for(
    microseconds: str, process: str, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", process)
    assert watchdog_interval() == interval


class Checks:
    """Two checks that pass until they are told not to."""

    def __init__(self) -> None:
        self.answers = trio.Event()
        self.answers.set()
        self.fault: OSError | None = None

    async def kernel(self) -> None:
        await self.answers.wait()

    async def admin(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault


async def test_systemd_is_told_as_long_as_all_answer(
    systemd: socket.socket, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    hub, checks = ReportHub(lambda: 0.0), Checks()
    watchdog = Watchdog(
        5.0, {"kernel": checks.kernel, "admin": checks.admin}, lambda: "2 IKE SAs", hub
    )
    nursery.start_soon(watchdog.run)
    await trio.sleep(12.0)
    assert said(systemd) == [b"WATCHDOG=1\nSTATUS=2 IKE SAs"] * 3
    checks.answers = trio.Event()
    await trio.sleep(20.0)
    assert said(systemd) == []
    assert watchdog.withheld >= 2
    checks.answers.set()
    await trio.sleep(10.0)
    assert said(systemd)
    checks.fault = ConnectionRefusedError()
    await trio.sleep(6.0)
    said(systemd)
    await trio.sleep(20.0)
    assert said(systemd) == []


async def test_without_systemd_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_service_manager("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with pytest.raises(OSError, match="No such file"):
        tell_service_manager("READY=1")


async def test_the_admin_socket_is_asked_as_clients_do(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    path, served = tmp_path / "admin.sock", []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening.dup()))

        async def serve(stream: trio.SocketStream) -> None:
            served.append(await stream.receive_some(100))
            if len(served) == 1:
                await stream.send_all(b"an answer")

        nursery.start_soon(trio.serve_listeners, serve, [listener])
        await ask_admin_socket(path, b"hello")
        assert served == [frame(b"hello")]
        with pytest.raises(OSError, match="hangs up"):
            await ask_admin_socket(path, b"hello")
        nursery.cancel_scope.cancel()
