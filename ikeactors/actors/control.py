"""The admin socket: a listener that outlives its actor, and one task for each client.

Only the transport: frames, limits, time-outs, who is calling. What a frame says is for the
`Dispatch` that the daemon hands in. No client is ever waited for by another or by the daemon: one
that does not read is cut off.

`run_control` is the actor; `ControlListener` is made by the daemon.
"""

from __future__ import annotations

import enum
import errno
import math
import socket
from collections import deque
from typing import Protocol

import trio

from ikeactors.actors.framing import FrameBuffer, FrameTooLarge, frame
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.unix_socket import Caller, ControlListener, caller_of
from ikeactors.protocol.actions import Level, Report

# Each costs two tasks and a descriptor; nobody has that many operators, monitors included.
MAX_CLIENTS = 256
# A client with more to ask has to wait for answers; a subscription is a request that goes on.
MAX_IN_FLIGHT = 32
# What may wait for a client that does not read: two frames of the largest size, and in events
# some seconds of a busy gateway.
MAX_BACKLOG = 2 << 20
# A streamed listing waits for its client above this, so that it never fills the backlog alone.
LOW_BACKLOG = 256 << 10
# For the rest of a message of which a part is here: both ends are on one machine.
READ_TIMEOUT = 10.0
# For a client to take anything at all of what waits for it.
WRITE_TIMEOUT = 10.0
# How long to leave the listener alone when the process has no descriptor for a client.
ACCEPT_PAUSE = 1.0

_RECEIVE = 64 << 10
_GONE_AGAIN = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Refusal(enum.Enum):
    """Why the transport itself refuses a client or a request."""

    TOO_MANY_CLIENTS = "too many clients"
    TOO_MANY_REQUESTS = "too many requests in flight"
    TOO_LARGE = "the message is too large"
    INCOMPLETE = "the rest of a message did not come"


class Outlet(Protocol):
    """The way back to a client."""

    def send(self, body: bytes) -> None:
        """Send a frame without waiting; a client that has too much unread is cut off."""
        ...

    async def room(self) -> None:
        """Wait until the client has read nearly all; for the request that floods it, no other."""
        ...

    def hang_up(self) -> None:
        """Take no more requests, and close once all is sent."""
        ...


class Session(Protocol):
    """One client's conversation."""

    async def answer(self, body: bytes) -> None:
        """Answer the request in `body`, at once or later, once or often."""
        ...

    def refuse(self, refusal: Refusal, body: bytes) -> None:
        """Tell the client why the transport refuses the request in `body` (empty: the client)."""
        ...


class Dispatch(Protocol):
    """Who understands the requests."""

    def session(self, caller: Caller, outlet: Outlet) -> Session:
        """Begin a conversation."""
        ...


async def run_control(listener: ControlListener, dispatch: Dispatch, hub: ReportHub) -> None:
    """Serve the admin socket until cancelled; the listener stays open."""
    left = trio.lowlevel.ParkingLot()
    async with trio.open_nursery() as nursery:
        while True:
            connection = await _accept(listener, left)
            client = _Client(connection, listener, hub)
            session = dispatch.session(caller_of(connection), client)
            nursery.start_soon(_serve, client, session, left)


async def _accept(listener: ControlListener, left: trio.lowlevel.ParkingLot) -> socket.socket:
    while True:
        await trio.lowlevel.wait_readable(listener.socket)
        try:
            connection, _ = listener.socket.accept()
        except BlockingIOError:
            continue
        except OSError as refusal:
            if refusal.errno in _GONE_AGAIN:
                continue
            if refusal.errno not in _EXHAUSTED:
                raise
            with trio.move_on_after(ACCEPT_PAUSE):
                await left.park()
        else:
            connection.setblocking(False)
            return connection


async def _serve(client: _Client, session: Session, left: trio.lowlevel.ParkingLot) -> None:
    counters = client.listener.counters
    with client.socket:
        if counters.clients >= MAX_CLIENTS:
            counters.refused += 1
            session.refuse(Refusal.TOO_MANY_CLIENTS, b"")
            return
        counters.clients += 1
        counters.served += 1
        try:
            await client.converse(session)
        finally:
            counters.clients -= 1
            left.unpark_all()


class _Client:
    """One client: its socket, what has come in part, what waits for it to read."""

    def __init__(
        self, connection: socket.socket, listener: ControlListener, hub: ReportHub
    ) -> None:
        self.socket = connection
        self.listener = listener
        self._hub = hub
        self._buffer = FrameBuffer()
        self._backlog: deque[bytes] = deque()
        self._waiting = 0
        self._in_flight = 0
        self._is_cut_off = False
        self._nursery: trio.Nursery | None = None
        self._reading = trio.CancelScope()
        self._drained = trio.lowlevel.ParkingLot()

    async def converse(self, session: Session) -> None:
        """Take requests until the client goes; then its requests go with it."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with self._reading:
                await self._take_requests(nursery, session)
            if self._reading.cancel_called:
                await self._emptied()
            nursery.cancel_scope.cancel()

    def send(self, body: bytes) -> None:
        """Send a frame without waiting; a client that has too much unread is cut off."""
        if self._is_cut_off:
            return
        octets = frame(body)
        if not self._backlog:
            octets = octets[self._sent_of(octets) :]
        if not octets:
            return
        if self._waiting + len(octets) > MAX_BACKLOG:
            self._cut_off("does not read what it asked for")
            return
        self._backlog.append(octets)
        self._waiting += len(octets)
        if len(self._backlog) == 1 and self._nursery is not None:
            self._nursery.start_soon(self._flush)

    async def room(self) -> None:
        """Wait until the client has read nearly all that was sent."""
        await trio.lowlevel.checkpoint()
        while self._waiting > LOW_BACKLOG:
            await self._drained.park()

    def hang_up(self) -> None:
        """Take no more requests, and close once all is sent."""
        self._reading.cancel()

    async def _take_requests(self, nursery: trio.Nursery, session: Session) -> None:
        while True:
            try:
                body = await self._receive()
            except FrameTooLarge:
                session.refuse(Refusal.TOO_LARGE, b"")
                self.hang_up()
                return
            except trio.TooSlowError:
                session.refuse(Refusal.INCOMPLETE, b"")
                self.hang_up()
                return
            if body is None:
                return
            self.listener.counters.requests += 1
            if self._in_flight >= MAX_IN_FLIGHT:
                session.refuse(Refusal.TOO_MANY_REQUESTS, body)
                continue
            self._in_flight += 1
            nursery.start_soon(self._answer, session, body)

    async def _answer(self, session: Session, body: bytes) -> None:
        try:
            await session.answer(body)
        finally:
            self._in_flight -= 1

    async def _receive(self) -> bytes | None:
        """The next frame, or None when the client has gone."""
        deadline = math.inf
        while True:
            body = self._buffer.take()
            if body is not None:
                # A client that floods us must not keep the loop for itself.
                await trio.lowlevel.checkpoint()
                return body
            if self._buffer.is_partial and deadline == math.inf:
                deadline = trio.current_time() + READ_TIMEOUT
            with trio.fail_at(deadline):
                octets = await self._more()
            if not octets:
                return None
            self._buffer.feed(octets)

    async def _more(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return self.socket.recv(_RECEIVE)
            except BlockingIOError:
                continue
            except OSError:
                return b""

    def _sent_of(self, octets: bytes) -> int:
        """How many of these octets the socket takes now; all, where the client is gone."""
        try:
            return self.socket.send(octets)
        except BlockingIOError:
            return 0
        except OSError:
            self.hang_up()
            return len(octets)

    async def _flush(self) -> None:
        """Send what waits, as the client reads."""
        while self._backlog:
            with trio.move_on_after(WRITE_TIMEOUT) as patience:
                await trio.lowlevel.wait_writable(self.socket)
            if patience.cancelled_caught:
                self._cut_off("has stopped reading")
                return
            octets = self._backlog[0]
            sent = self._sent_of(octets)
            self._waiting -= sent
            if sent == len(octets):
                self._backlog.popleft()
            else:
                self._backlog[0] = octets[sent:]
            self._drained.unpark_all()

    async def _emptied(self) -> None:
        while self._backlog:
            await self._drained.park()

    def _cut_off(self, why: str) -> None:
        self._is_cut_off = True
        self.listener.counters.cut_off += 1
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        text = f"A client of the admin socket {why}: its connection is closed."
        self._hub.publish(Report("control-client-cut-off", text, Level.WARNING), 0)
