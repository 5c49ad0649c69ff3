"""The words of the admin protocol: requests, replies, error codes, and msgpack with its limits.

Described for those who write clients in docs/admin-protocol.md.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import msgpack

from ikeactors.actors.framing import MAX_FRAME
from ikeactors.errors import Fault

VERSION = 1

# The names of `protocol.actions.Level`: said again here, because a client must not load the core.
LEVELS = ("debug", "info", "warning", "error")

# A request is small: these bound what a bad one can make us build before it is refused.
MAX_ELEMENTS = 1024
MAX_STRING = 4096
MAX_REQUEST_ID = 2**63 - 1


class ErrorCode(enum.StrEnum):
    """Why a request was refused or failed; clients may rely on there being no others."""

    NOT_FOUND = "not-found"
    INVALID_ARGUMENT = "invalid-argument"
    NOT_PERMITTED = "not-permitted"
    UNSUPPORTED_VERSION = "unsupported-version"
    UNKNOWN_COMMAND = "unknown-command"
    FAILED = "failed"
    TIMEOUT = "timeout"
    BUSY = "busy"
    TOO_LARGE = "too-large"


class RequestRefused(Fault):
    """A request that gets an error for an answer; `details` are for programs."""

    def __init__(
        self, code: ErrorCode, text: str, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.details = dict(details or {})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a client sent it, its shape checked and nothing else."""

    id: int
    command: str
    arguments: Mapping[str, object]
    version: int = VERSION


class MalformedMessage(Fault):
    """These octets are no message of the admin protocol; `request_id` where it could be read."""

    def __init__(self, text: str, request_id: int | None = None) -> None:
        super().__init__(text)
        self.request_id = request_id


def read_request(body: bytes) -> Request:
    """The request in a frame. Raises `MalformedMessage`."""
    message = _unpacked(body, MAX_STRING, MAX_ELEMENTS)
    request_id = message.get("id")
    if type(request_id) is not int or not 0 <= request_id <= MAX_REQUEST_ID:
        raise MalformedMessage("id: must be an integer from 0 to 2^63 - 1")
    command = message.get("command")
    if not isinstance(command, str):
        raise MalformedMessage("command: must be a string", request_id)
    arguments = message.get("arguments", {})
    if not isinstance(arguments, dict):
        raise MalformedMessage("arguments: must be a map", request_id)
    version = message.get("version")
    if type(version) is not int:
        raise MalformedMessage("version: must be an integer", request_id)
    return Request(request_id, command, arguments, version)


def write_request(request: Request) -> bytes:
    """The body of a frame that asks this."""
    return _packed(
        {
            "id": request.id,
            "command": request.command,
            "arguments": dict(request.arguments),
            "version": request.version,
        }
    )


def write_result(request_id: int, result: object) -> bytes:
    """The end of a request that succeeded. Raises `RequestRefused` where it is too large."""
    body = _packed({"id": request_id, "ok": True, "result": result})
    if len(body) > MAX_FRAME:
        raise RequestRefused(ErrorCode.TOO_LARGE, f"the answer has {len(body)} octets")
    return body


def write_error(request_id: int | None, refusal: RequestRefused) -> bytes:
    """The end of a request that was refused or failed; an id of None is for no request."""
    error: dict[str, object] = {"code": refusal.code.value, "text": str(refusal)}
    if refusal.details:
        error["details"] = refusal.details
    return _packed({"id": request_id, "ok": False, "error": error})


def write_progress(request_id: int, progress: Mapping[str, object]) -> bytes:
    """Something on the way to a request's end."""
    body = _packed({"id": request_id, "progress": progress})
    if len(body) > MAX_FRAME:
        raise RequestRefused(ErrorCode.TOO_LARGE, f"a part of the answer has {len(body)} octets")
    return body


def write_event(subscription: int, event: Mapping[str, object]) -> bytes:
    """An event for a subscription."""
    return _packed({"subscription": subscription, "event": event})


def read_message(body: bytes) -> dict[str, object]:
    """What a daemon sent, for a client. Raises `MalformedMessage`."""
    return _unpacked(body, MAX_FRAME, MAX_FRAME)


def _packed(message: Mapping[str, object]) -> bytes:
    octets = msgpack.packb(message, use_bin_type=True)
    assert isinstance(octets, bytes)
    return octets


def _unpacked(body: bytes, string_limit: int, element_limit: int) -> dict[str, object]:
    try:
        message = msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            max_str_len=string_limit,
            max_bin_len=string_limit,
            max_array_len=element_limit,
            max_map_len=element_limit,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as mistake:
        raise MalformedMessage("not a message in msgpack, or beyond its limits") from mistake
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise MalformedMessage("not a map with strings for keys")
    return message
