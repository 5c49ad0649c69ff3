"""The blocking client: what it makes of a daemon that is absent, silent, gone or odd."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from ikeactors.actors.framing import frame
from ikeactors.admin.client import Client, DaemonUnreachable
from ikeactors.admin.vocabulary import ErrorCode, RequestRefused, write_event, write_result
from tests.admin.daemon import FakeDaemon, association


@pytest.fixture
def answered_by(tmp_path: Path) -> Callable[[bytes], Path]:
    """Where a daemon listens that says this, whatever it is asked, and hangs up."""

    def listen(octets: bytes) -> Path:
        path = tmp_path / "odd.sock"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen(1)

        def serve() -> None:
            with listening, listening.accept()[0] as client:
                client.recv(4096)
                client.sendall(octets)

        threading.Thread(target=serve, daemon=True).start()
        return path

    return listen


async def test_a_listing_is_put_together(daemon: FakeDaemon, nursery: trio.Nursery) -> None:
    nursery.start_soon(daemon.run)
    daemon.peers.there = {number: association("site-a-b") for number in range(1, 200)}

    def ask() -> int:
        with Client(daemon.path) as client:
            result, streamed = client.listing("list-sas")
            assert result == {"count": 199}
            return len(streamed["sas"])

    assert await trio.to_thread.run_sync(ask) == 199


async def test_a_refusal_comes_with_its_code(daemon: FakeDaemon, nursery: trio.Nursery) -> None:
    nursery.start_soon(daemon.run)

    def ask() -> RequestRefused:
        with Client(daemon.path) as client, pytest.raises(RequestRefused) as caught:
            client.ask("up", {"name": "nobody"})
        return caught.value

    assert (await trio.to_thread.run_sync(ask)).code is ErrorCode.NOT_FOUND


def test_no_socket_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="no such socket") as caught:
        Client(tmp_path / "admin.sock")
    assert str(tmp_path) in str(caught.value)


def test_a_socket_nobody_listens_at_is_told(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(DaemonUnreachable, match="nobody listens"):
        Client(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_socket_we_may_not_use_is_told(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        os.seteuid(65534)
        try:
            with pytest.raises(DaemonUnreachable, match="permission denied"):
                Client(path)
        finally:
            os.seteuid(0)


def test_a_daemon_that_hangs_up_is_told(answered_by: Callable[[bytes], Path]) -> None:
    with Client(answered_by(b"")) as client, pytest.raises(DaemonUnreachable, match="closed"):
        client.ask("version")


@pytest.mark.parametrize("octets", [struct.pack("!I", 2**31), frame(b"\xc1"), frame(b"\x01")])
def test_a_daemon_that_speaks_otherwise_is_told(
    answered_by: Callable[[bytes], Path], octets: bytes
) -> None:
    with Client(answered_by(octets)) as client, pytest.raises(DaemonUnreachable, match="broke"):
        client.ask("version")


def test_a_daemon_that_is_silent_is_not_waited_for_longer_than_said(daemon: FakeDaemon) -> None:
    with Client(daemon.path) as client, pytest.raises(DaemonUnreachable, match="not answered"):
        client.ask("version", timeout=0.01)


def test_an_event_that_comes_before_an_answer_is_kept(
    answered_by: Callable[[bytes], Path],
) -> None:
    event = {"sequence": 1, "name": "x"}
    octets = frame(write_event(1, event)) + frame(write_result(1, {"subscription": 1}))
    with Client(answered_by(octets)) as client:
        events = client.events()
        assert next(events) == event
        with pytest.raises(DaemonUnreachable, match="closed"):
            next(events)
