"""The daemon's side of the admin protocol: a frame in, the command found and run, answers out.

`Dispatcher` is what `actors.control` is given. The commands are in `queries` and `operations`,
their table is at the foot.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import trio

from ikeactors.actors.control import Outlet, Refusal
from ikeactors.actors.framing import FrameTooLarge
from ikeactors.actors.unix_socket import Caller
from ikeactors.admin import operations, queries
from ikeactors.admin.arguments import MAX_NAME, Nothing, read_arguments
from ikeactors.admin.conversation import Conversation
from ikeactors.admin.ports import Surroundings
from ikeactors.admin.vocabulary import (
    VERSION,
    ErrorCode,
    MalformedMessage,
    Request,
    RequestRefused,
    read_request,
    write_error,
)


class Dispatcher:
    """Begins a session for each client; made once by the daemon."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def session(self, caller: Caller, outlet: Outlet) -> Session:
        """A client has connected."""
        permitted = self._surroundings.authority.permits(caller)
        return Session(self._surroundings, outlet, permitted)


class Session:
    """One client's conversation: several requests at once, answered in any order."""

    def __init__(self, surroundings: Surroundings, outlet: Outlet, permitted: bool) -> None:
        self._surroundings = surroundings
        self._outlet = outlet
        self._permitted = permitted
        self._subscriptions: dict[int, trio.CancelScope] = {}

    async def answer(self, body: bytes) -> None:
        """Answer the request in `body`."""
        try:
            request = read_request(body)
        except MalformedMessage as mistake:
            refusal = RequestRefused(ErrorCode.INVALID_ARGUMENT, str(mistake))
            self._outlet.send(write_error(mistake.request_id, refusal))
            return
        if not self._permitted:
            self._outlet.send(write_error(request.id, _not_permitted()))
            self._outlet.hang_up()
            return
        conversation = Conversation(
            self._surroundings, self._outlet, request.id, self._subscriptions
        )
        try:
            conversation.finish(await _run(conversation, request))
        except RequestRefused as refusal:
            conversation.fail(refusal)
        except FrameTooLarge as mistake:
            conversation.fail(RequestRefused(ErrorCode.TOO_LARGE, str(mistake)))

    def refuse(self, refusal: Refusal, body: bytes) -> None:
        """Tell the client why the transport refuses it, or the request in `body`."""
        request_id: int | None = None
        if body:
            try:
                request_id = read_request(body).id
            except MalformedMessage as mistake:
                request_id = mistake.request_id
        error = RequestRefused(_REFUSALS[refusal], refusal.value)
        self._outlet.send(write_error(request_id, error))


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the dataclass of its arguments, and what it does."""

    arguments: type[Any]
    run: Callable[[Conversation, Any], Awaitable[Mapping[str, object]]]


async def _run(conversation: Conversation, request: Request) -> Mapping[str, object]:
    if request.version != VERSION:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION,
            f"version {request.version} is not spoken here, only {VERSION}",
            {"versions": [VERSION]},
        )
    command = COMMANDS.get(request.command)
    if command is None:
        raise _unknown(request.command)
    return await command.run(conversation, read_arguments(command.arguments, request.arguments))


def _unknown(name: str) -> RequestRefused:
    near = difflib.get_close_matches(name[:MAX_NAME], COMMANDS, 1)
    nearest = f"; nearest: {near[0]}" if near else ""
    text = f"no command is named {name[:MAX_NAME]!r}{nearest}"
    return RequestRefused(ErrorCode.UNKNOWN_COMMAND, text)


def _not_permitted() -> RequestRefused:
    return RequestRefused(
        ErrorCode.NOT_PERMITTED,
        "only root, the daemon's own user and members of admin_group may use this socket",
    )


COMMANDS: dict[str, Command] = {
    "version": Command(Nothing, queries.version),
    "status": Command(queries.OfConnection, queries.status),
    "list-conns": Command(queries.OfConnection, queries.list_conns),
    "list-sas": Command(queries.OfConnection, queries.list_sas),
    "statistics": Command(Nothing, queries.statistics),
    "kernel": Command(Nothing, queries.kernel),
    "events": Command(queries.Events, queries.events),
    "unsubscribe": Command(queries.Unsubscribe, queries.unsubscribe),
    "up": Command(operations.Up, operations.up),
    "down": Command(operations.Down, operations.down),
    "rekey": Command(operations.Rekey, operations.rekey),
    "log-level": Command(operations.LogLevel, operations.log_level),
    "reload-creds": Command(Nothing, operations.reload_creds),
    "install": Command(operations.Policies, operations.install),
    "uninstall": Command(operations.Policies, operations.uninstall),
    "stop": Command(operations.Stop, operations.stop),
}

_REFUSALS = {
    Refusal.TOO_MANY_CLIENTS: ErrorCode.BUSY,
    Refusal.TOO_MANY_REQUESTS: ErrorCode.BUSY,
    Refusal.TOO_LARGE: ErrorCode.TOO_LARGE,
    Refusal.INCOMPLETE: ErrorCode.TIMEOUT,
}
