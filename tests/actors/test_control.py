"""The transport of the admin socket under clients that break every rule."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ikeactors.actors import control
from ikeactors.actors.control import (
    MAX_BACKLOG,
    MAX_CLIENTS,
    MAX_IN_FLIGHT,
    READ_TIMEOUT,
    Outlet,
    Refusal,
    run_control,
)
from ikeactors.actors.framing import FrameBuffer, frame
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.unix_socket import Caller, ControlListener, open_listener


class Echo:
    """A session that gives every request back, or does what its body says."""

    def __init__(self, caller: Caller, outlet: Outlet, forever: trio.Event) -> None:
        self.caller = caller
        self._outlet = outlet
        self._forever = forever

    async def answer(self, body: bytes) -> None:
        if body == b"wait":
            await self._forever.wait()
        elif body == b"flood":
            for _ in range(100):
                self._outlet.send(bytes(64 << 10))
        elif body == b"stream":
            for _ in range(100):
                self._outlet.send(bytes(64 << 10))
                await self._outlet.room()
        elif body == b"hang up":
            self._outlet.send(bytes(1 << 20))
            self._outlet.hang_up()
            return
        self._outlet.send(body)

    def refuse(self, refusal: Refusal, body: bytes) -> None:
        self._outlet.send(f"refused: {refusal.name} {body.decode()}".encode())


class Daemon:
    """A control actor and its surroundings."""

    def __init__(self, listener: ControlListener) -> None:
        self.listener = listener
        self.hub = ReportHub(lambda: 0.0)
        self.forever = trio.Event()
        self.sessions: list[Echo] = []

    def session(self, caller: Caller, outlet: Outlet) -> Echo:
        self.sessions.append(Echo(caller, outlet, self.forever))
        return self.sessions[-1]

    async def run(self) -> None:
        await run_control(self.listener, self, self.hub)

    def connect(self) -> socket.socket:
        """A client; its peer's frames are read with `heard`."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.listener.path))
        client.setblocking(False)
        return client


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    listener = open_listener(tmp_path / "admin.sock")
    yield Daemon(listener)
    listener.close()


@pytest.fixture
async def serving(daemon: Daemon, nursery: trio.Nursery) -> Daemon:
    nursery.start_soon(daemon.run)
    return daemon


async def heard(client: socket.socket, buffer: FrameBuffer | None = None) -> bytes | None:
    """The next frame; None when the daemon has closed."""
    buffer = buffer or FrameBuffer()
    while (body := buffer.take()) is None:
        await trio.lowlevel.wait_readable(client)
        try:
            octets = client.recv(1 << 16)
        except ConnectionResetError:
            return None
        if not octets:
            return None
        buffer.feed(octets)
    return body


async def is_served(daemon: Daemon) -> bool:
    with daemon.connect() as client:
        client.send(frame(b"hello"))
        return await heard(client) == b"hello"


async def test_requests_come_back(serving: Daemon, autojump_clock: trio.testing.MockClock) -> None:
    assert await is_served(serving)


async def test_an_empty_frame_is_a_request(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.connect() as client:
        client.send(struct.pack("!I", 0))
        assert await heard(client) == b""


async def test_a_length_beyond_the_limit_is_refused_and_ends_the_conversation(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.connect() as client:
        client.send(struct.pack("!I", 2**31))
        assert await heard(client) == b"refused: TOO_LARGE "
        assert await heard(client) is None
    assert await is_served(serving)


async def test_a_message_that_stays_partial_is_given_up(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    begun = trio.current_time()
    with serving.connect() as client:
        client.send(b"\x00\x00\x00\x08half")
        assert await heard(client) == b"refused: INCOMPLETE "
        assert await heard(client) is None
    assert trio.current_time() - begun == pytest.approx(READ_TIMEOUT)


async def test_octets_that_drip_do_not_extend_the_time(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.connect() as client:
        for octet in b"\x00\x00\x00":
            client.send(bytes([octet]))
            await trio.sleep(READ_TIMEOUT / 4)
        assert await heard(client) == b"refused: INCOMPLETE "
    assert trio.current_time() == pytest.approx(READ_TIMEOUT)


async def test_a_client_may_be_silent_for_days(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.connect() as client:
        await trio.sleep(3 * 86400)
        client.send(frame(b"good morning"))
        assert await heard(client) == b"good morning"


async def test_too_many_requests_in_flight_are_refused_one_by_one(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    buffer = FrameBuffer()
    with serving.connect() as client:
        for _ in range(MAX_IN_FLIGHT):
            client.send(frame(b"wait"))
        client.send(frame(b"one more"))
        assert await heard(client, buffer) == b"refused: TOO_MANY_REQUESTS one more"

        serving.forever.set()
        for _ in range(MAX_IN_FLIGHT):
            assert await heard(client, buffer) == b"wait"
        client.send(frame(b"and now"))
        assert await heard(client, buffer) == b"and now"


async def test_a_client_that_leaves_too_much_unread_is_cut_off(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.hub.subscribe() as reports, serving.connect() as client:
        client.send(frame(b"flood"))
        assert (await anext(reports)).report.name == "control-client-cut-off"
        assert await is_served(serving)
    assert serving.listener.statistics().cut_off == 1


async def test_a_client_that_stops_reading_is_cut_off_in_time(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.hub.subscribe() as reports, serving.connect() as client:
        client.send(frame(b"stream"))
        assert "stopped reading" in (await anext(reports)).report.text
    assert trio.current_time() < 60
    await trio.testing.wait_all_tasks_blocked()
    assert serving.listener.statistics().clients == 0


async def test_a_stalled_client_delays_nobody(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    with serving.connect() as stalled:
        stalled.send(frame(b"stream"))
        begun = trio.current_time()
        assert await is_served(serving)
        assert trio.current_time() == begun


async def test_a_stream_goes_as_fast_as_its_client_reads(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    buffer = FrameBuffer()
    with serving.connect() as client:
        client.send(frame(b"stream"))
        for _ in range(100):
            assert await heard(client, buffer) == bytes(64 << 10)
            await trio.sleep(1)
        assert await heard(client, buffer) == b"stream"
    assert MAX_BACKLOG < 100 * (64 << 10)


async def test_a_client_that_is_hung_up_on_gets_everything_first(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    buffer = FrameBuffer()
    with serving.connect() as client:
        client.send(frame(b"hang up"))
        assert await heard(client, buffer) == bytes(1 << 20)
        assert await heard(client, buffer) is None


@pytest.mark.parametrize("words", [b"", b"\x00", frame(b"wait"), frame(b"stream")])
async def test_a_client_that_dies_takes_only_its_own_requests(
    serving: Daemon, autojump_clock: trio.testing.MockClock, words: bytes
) -> None:
    with serving.connect() as client:
        client.send(words)
        await trio.testing.wait_all_tasks_blocked()
    await trio.testing.wait_all_tasks_blocked()

    assert serving.listener.statistics().clients == 0
    assert await is_served(serving)


async def test_three_hundred_clients_are_served_or_told_that_they_are_too_many(
    serving: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    clients = [serving.connect() for _ in range(300)]
    answers = []
    for client in clients:
        client.send(frame(b"hello"))
    for client in clients:
        answers.append(await heard(client))
    for client in clients:
        client.close()
    await trio.testing.wait_all_tasks_blocked()

    assert answers.count(b"hello") == MAX_CLIENTS
    assert answers.count(b"refused: TOO_MANY_CLIENTS ") == 300 - MAX_CLIENTS
    assert serving.listener.statistics().clients == 0
    assert await is_served(serving)


async def test_a_restarted_actor_serves_the_same_listener(
    daemon: Daemon, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.run)
        assert await is_served(daemon)
        nursery.cancel_scope.cancel()
    with daemon.connect() as waiting:
        waiting.send(frame(b"hello"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            assert await heard(waiting) == b"hello"
            nursery.cancel_scope.cancel()


async def test_a_process_out_of_descriptors_tries_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Exhausted(socket.socket):
        refusals = 3

        def accept(self) -> tuple[socket.socket, object]:
            if self.refusals:
                self.refusals -= 1
                raise OSError(24, "Too many open files")
            return super().accept()

    real = open_listener(tmp_path / "admin.sock")
    exhausted = Exhausted(fileno=real.socket.detach())
    daemon = Daemon(ControlListener(exhausted, real.path))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.run)
        assert await is_served(daemon)
        nursery.cancel_scope.cancel()
    daemon.listener.close()

    assert trio.current_time() == pytest.approx(3 * control.ACCEPT_PAUSE)
