"""A recording as octets: a head in clear, then sealed records, each with its length before it.

    head     the line "ikeactors recording 1", and msgpack: the software's version, the salt
    record   4 octets of length, and the sealed octets; the number in the sequence is the nonce
    0        what the association was made with; 1, 2, ...: its steps; the last: why it ends

So records cannot be left out, repeated or put in another order without a key. A file that ends in
the midst of a record is of a daemon that was killed: what is before it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from ikeactors.crypto.at_rest import SALT_OCTETS, TAG_OCTETS, AtRest
from ikeactors.errors import Fault, IntegrityFailed
from ikeactors.protocol.encoding import Undecodable, decode, encode
from ikeactors.protocol.recording.recorded import Beginning, Step

_MAGIC = b"ikeactors recording 1\n"
_PURPOSE = "recording"
_LENGTH = struct.Struct(">I")
# Ours: a datagram, and what a step makes of it, is a hundredth of that.
_RECORD_LIMIT = 16 << 20
_HEAD_LIMIT = 1024


class Unplayable(Fault):
    """This is no recording, or not one of this key; the text says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is in a file. `end` says why it ends, and is empty if it was cut off."""

    software: str
    beginning: Beginning
    steps: tuple[Step, ...]
    end: str


class Sealer:
    """Makes the octets of one file, from its first to its last."""

    __slots__ = ("_at_rest", "_number", "head")

    def __init__(self, key: bytes, salt: bytes, software: str) -> None:
        packed: bytes = msgpack.packb([software, salt])
        self.head = _MAGIC + _LENGTH.pack(len(packed)) + packed
        self._at_rest = AtRest(key, salt, _PURPOSE)
        self._number = 0

    def seal(self, record: bytes) -> bytes:
        """The octets of the next record, which `write` has made."""
        number, self._number = self._number, self._number + 1
        sealed = self._at_rest.seal(number, record, self.head)
        return _LENGTH.pack(len(sealed)) + sealed


def write(record: Beginning | Step | str) -> bytes:
    """A record, not sealed yet."""
    return encode(_fields(record))


def read(octets: bytes, key: bytes) -> Recording:
    """The recording in a file. Raises `Unplayable`."""
    head, software, salt = _head(octets)
    at_rest = AtRest(key, salt, _PURPOSE)
    steps: list[Step] = []
    beginning, end = None, ""
    for number, sealed in enumerate(_records(octets, len(head))):
        try:
            record = _record(decode(at_rest.open(number, sealed, head)))
        except IntegrityFailed as fault:
            raise Unplayable(f"record {number}: {fault}") from None
        except Undecodable as fault:
            raise Unplayable(f"record {number}: {fault}; it was made by {software}") from None
        match record:
            case Beginning():
                beginning = record
            case Step():
                steps.append(record)
            case _:
                end = record
    if beginning is None:
        raise Unplayable("it has no beginning")
    return Recording(software, beginning, tuple(steps), end)


def _head(octets: bytes) -> tuple[bytes, str, bytes]:
    """The head, the software's version and the salt."""
    begin = len(_MAGIC) + _LENGTH.size
    if not octets.startswith(_MAGIC) or len(octets) < begin:
        raise Unplayable("this is no recording of a format that is known here")
    (length,) = _LENGTH.unpack_from(octets, len(_MAGIC))
    if length > _HEAD_LIMIT or begin + length > len(octets):
        raise Unplayable("its head is cut off")
    try:
        software, salt = msgpack.unpackb(octets[begin : begin + length])
    except (ValueError, TypeError, msgpack.UnpackException):
        raise Unplayable("its head is not readable") from None
    if not isinstance(software, str) or not isinstance(salt, bytes) or len(salt) != SALT_OCTETS:
        raise Unplayable("its head is not readable")
    return octets[: begin + length], software, salt


def _records(octets: bytes, at: int) -> Iterator[bytes]:
    while at + _LENGTH.size <= len(octets):
        (length,) = _LENGTH.unpack_from(octets, at)
        at += _LENGTH.size
        if not TAG_OCTETS <= length <= _RECORD_LIMIT:
            raise Unplayable(f"a record of {length} octets")
        if at + length > len(octets):
            return
        yield octets[at : at + length]
        at += length


def _fields(record: Beginning | Step | str) -> tuple[object, ...]:
    match record:
        case Beginning():
            kind = "beginning"
            ends = record.connection, record.local, record.remote
            return kind, *ends, record.constants, record.record_keys
        case Step():
            return "step", record.now, record.event, record.answers, record.actions
        case _:
            return "end", record


def _record(fields: Any) -> Beginning | Step | str:
    """The record of what `_fields` made; the octets are those of who has the key."""
    match fields:
        case ("beginning", connection, local, remote, dict(constants), bool(record_keys)):
            return Beginning(connection, local, remote, constants, record_keys)
        case ("step", float(now), event, tuple(answers), actions):
            return Step(now, event, answers, actions)
        case ("end", str(reason)):
            return reason
        case _:
            raise Undecodable("a record of another kind")
