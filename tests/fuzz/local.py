"""Targets at the daemon's own doors: the admin socket's octets and the configuration's text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgpack

from ikeactors.actors.framing import FrameBuffer, FrameTooLarge, frame
from ikeactors.actors.printable import printable
from ikeactors.admin.arguments import read_arguments
from ikeactors.admin.server import COMMANDS
from ikeactors.admin.vocabulary import (
    MalformedMessage,
    Request,
    RequestRefused,
    read_message,
    read_request,
    write_error,
    write_request,
)
from ikeactors.config import ConfigurationFaults, load
from tests.fuzz.target import Target

_EXAMPLE = Path(__file__).parents[2] / "config" / "ikeactors.example.toml"
# No key of a configuration may make us look at files that the fuzzer names.
_FILES = (b"include", b"file", b"/", b"~")


def admin(octets: bytes) -> None:
    """What a client sends, in pieces of any size: the first octet says which."""
    buffer, size = FrameBuffer(), octets[0] + 1 if octets else 1
    for at in range(1, len(octets), size):
        buffer.feed(octets[at : at + size])
        with suppress(FrameTooLarge):
            while (body := buffer.take()) is not None:
                request(body)


def request(octets: bytes) -> None:
    """The body of one frame."""
    with suppress(MalformedMessage):
        read_message(octets)
    try:
        asked = read_request(octets)
        command = COMMANDS.get(asked.command)
        if command is not None:
            read_arguments(command.arguments, asked.arguments)
    except MalformedMessage as mistake:
        assert len(str(mistake)) < 200
    except RequestRefused as refusal:
        assert len(write_error(asked.id, refusal)) < 4096


def toml(octets: bytes) -> None:
    """The text of a configuration."""
    if any(word in octets for word in _FILES):
        return
    path = _scratch()
    path.write_bytes(octets)
    try:
        load(path)
    except ConfigurationFaults as faults:
        lines = str(faults).splitlines()
        assert len(lines) == len(faults.mistakes)
        assert all(line.startswith(str(path)) for line in lines)


def line(octets: bytes) -> None:
    """Text of a peer on its way to the log."""
    text = printable(octets.decode("utf-8", "surrogateescape"))
    assert not set(text) & set("\n\r\x1b\0\x9b")


_FOLDERS: dict[int, tempfile.TemporaryDirectory[str]] = {}


def _scratch() -> Path:
    """A file of this process."""
    folder = _FOLDERS.get(os.getpid())
    if folder is None:
        folder = _FOLDERS[os.getpid()] = tempfile.TemporaryDirectory(prefix="ikeactors-fuzz-")
    path = Path(folder.name) / "ike.toml"
    path.touch(0o600)
    return path


def _requests() -> Iterator[bytes]:
    arguments = {"name": "gw", "timeout": 1.5, "spi": "0x1000", "names": ["ike-*"], "level": "info"}
    for command in COMMANDS:
        yield write_request(Request(1, command, {}))
        yield write_request(Request(2, command, arguments))
        for word, value in arguments.items():
            yield write_request(Request(3, command, {"name": "gw", word: value}))
    yield msgpack.packb({"id": 1, "command": "version", "version": [[[[]]]]})
    yield msgpack.packb({"id": -1, "command": "version", "version": msgpack.Timestamp(1)})


def _texts() -> Iterator[bytes]:
    """Sections of the example, each by itself, with the options written out."""
    text = _EXAMPLE.read_text()
    options = [line.removeprefix("#") for line in text.splitlines()]
    yield "\n".join(line for line in text.splitlines() if "/" not in line).encode()
    for option in options:
        if "=" in option and not option.startswith(" ") and "/" not in option:
            for section in ("daemon", "connections.gw", "connections.gw.children.net"):
                yield f"[{section}]\n{option}\n".encode()
    yield b'[secrets.a]\nsecret = "0saGVsbG8="\nid = ["a", "b"]\n'


LOCAL: dict[str, Target] = {
    "admin": Target(admin, lambda: [b"\x05" + frame(one) for one in _requests()], 10_000),
    "request": Target(request, lambda: list(_requests()), 15_000),
    "toml": Target(toml, lambda: list(_texts()), 250),
    "line": Target(line, lambda: [b"west\n", "h\u00f6\u202e".encode(), b"\xff\x1b[2J"], 40_000),
}
