"""A client of the admin protocol that blocks: for the command line, scripts and tests.

No Trio here: `ikeactors status` has to be quick.
"""

from __future__ import annotations

import itertools
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from ikeactors.actors.framing import FrameBuffer, FrameTooLarge, frame
from ikeactors.admin.vocabulary import (
    VERSION,
    ErrorCode,
    MalformedMessage,
    Request,
    RequestRefused,
    read_message,
    write_request,
)
from ikeactors.errors import Fault

Message = dict[str, object]
Progress = Callable[[Message], None]

# For the daemon to answer what it can answer at once; a busy router takes its time.
ANSWER_TIMEOUT = 30.0

_RECEIVE = 64 << 10


class DaemonUnreachable(Fault):
    """Nobody can be talked to at the admin socket; the text says why, and what to look at."""


class Client:
    """A connection to the daemon, one request at a time; a context that closes it."""

    def __init__(self, path: Path, timeout: float | None = ANSWER_TIMEOUT) -> None:
        """Connect. Raises `DaemonUnreachable`."""
        self._path = path
        self._timeout = timeout
        self._buffer = FrameBuffer()
        self._events: deque[Message] = deque()
        self._ids = itertools.count(1)
        self._socket = _connected(path, timeout)

    def ask(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        progress: Progress | None = None,
        timeout: float | None = ANSWER_TIMEOUT,
    ) -> Message:
        """The result of a command. Raises `RequestRefused`, `DaemonUnreachable`.

        `timeout` is for the silence between two messages; None waits for ever.
        """
        request_id = next(self._ids)
        self._send(write_request(Request(request_id, command, arguments or {}, VERSION)))
        while True:
            message = self._next(timeout)
            if "event" in message:
                self._events.append(message)
            elif message.get("id") not in (request_id, None):
                continue
            elif "progress" in message:
                if progress is not None:
                    progress(_map(message["progress"]))
            else:
                return _result(message)

    def listing(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> tuple[Message, dict[str, list[Message]]]:
        """The result of a command that streams, and what it streamed, by name."""
        streamed: dict[str, list[Message]] = {}

        def collect(progress: Message) -> None:
            for key, batch in progress.items():
                assert isinstance(batch, list)
                streamed.setdefault(key, []).extend(batch)

        return self.ask(command, arguments, collect), streamed

    def events(self, arguments: Mapping[str, object] | None = None) -> Iterator[Message]:
        """Subscribe, then yield events for ever; ends when the subscription does."""
        self.ask("events", arguments)
        while True:
            message = self._events.popleft() if self._events else self._next(None)
            event = _map(message.get("event", {}))
            yield event
            if "sequence" not in event:
                return

    def close(self) -> None:
        """Go; what was asked for and has not ended goes on without us."""
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, body: bytes) -> None:
        self._socket.settimeout(self._timeout)
        try:
            self._socket.sendall(frame(body))
        except BrokenPipeError:
            # Its last words may be waiting: why it closed.
            return
        except OSError as mistake:
            raise DaemonUnreachable(self._broken(mistake)) from mistake

    def _next(self, timeout: float | None) -> Message:
        self._socket.settimeout(timeout)
        try:
            while (body := self._buffer.take()) is None:
                octets = self._socket.recv(_RECEIVE)
                if not octets:
                    raise DaemonUnreachable(f"the daemon at {self._path} closed the connection")
                self._buffer.feed(octets)
            return read_message(body)
        except TimeoutError as mistake:
            text = f"the daemon at {self._path} has not answered for {timeout:g} seconds"
            raise DaemonUnreachable(text) from mistake
        except (OSError, FrameTooLarge, MalformedMessage) as mistake:
            raise DaemonUnreachable(self._broken(mistake)) from mistake

    def _broken(self, mistake: Exception) -> str:
        return f"the conversation with the daemon at {self._path} broke off: {mistake}"


def _connected(path: Path, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except OSError as refusal:
        connection.close()
        raise DaemonUnreachable(_why_unreachable(path, refusal)) from refusal
    return connection


def _why_unreachable(path: Path, refusal: OSError) -> str:
    for kind, text in _REASONS:
        if isinstance(refusal, kind):
            return f"cannot reach the daemon at {path}: {text}"
    return f"cannot reach the daemon at {path}: {refusal.strerror or refusal}"


def _result(message: Message) -> Message:
    if message.get("ok") is True:
        return _map(message.get("result", {}))
    error = _map(message.get("error", {}))
    text = str(error.get("text", ""))
    try:
        code = ErrorCode(str(error.get("code")))
    except ValueError:
        code, text = ErrorCode.FAILED, f"{error.get('code')}: {text}"
    raise RequestRefused(code, text, _map(error.get("details", {})))


def _map(value: object) -> Message:
    if not isinstance(value, dict):
        raise DaemonUnreachable("the daemon does not speak this protocol")
    return value


_REASONS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "there is no such socket; is the daemon running (ikeactors daemon)?"),
    (
        PermissionError,
        "permission denied; only root, the daemon's user and members of admin_group may",
    ),
    (
        ConnectionRefusedError,
        "the socket is there, but nobody listens; the daemon has died or is not yet up",
    ),
    (BlockingIOError, "it is busy: too many clients are waiting"),
    (TimeoutError, "it is busy: too many clients are waiting"),
)
