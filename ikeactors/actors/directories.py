"""A revocation list from an LDAP server: one question, its answers, within bounds."""

from __future__ import annotations

import trio

from ikeactors.errors import Fault, InvalidSyntax
from ikeactors.wire.ldap import Done, Found, Place, message_length, read_message, write_search

_CHUNK = 65536
# Ours: what stands around a value.
_AROUND = 8192
# Ours: answers to a search for one entry, referrals and notices among them.
_MAX_MESSAGES = 16


class NotFound(Fault):
    """The attribute is not there; the text says why."""


async def obtain(stream: trio.abc.Stream, url: str, limit: int) -> bytes:
    """The one value of the attribute that a URL names. Raises NotFound."""
    try:
        place = Place.from_url(url)
        await stream.send_all(write_search(place))
        return await _value(stream, place, limit)
    except InvalidSyntax as fault:
        raise NotFound(str(fault)) from None


async def _value(stream: trio.abc.Stream, place: Place, limit: int) -> bytes:
    values: tuple[bytes, ...] = ()
    buffer = bytearray()
    for _ in range(_MAX_MESSAGES):
        message = read_message(await _message(stream, buffer, limit + _AROUND))
        if isinstance(message, Found):
            values += message.values
        elif isinstance(message, Done):
            if message.refusal:
                raise NotFound(message.refusal)
            if len(values) != 1:
                raise NotFound(f"the entry has {len(values)} values of {place.attribute}")
            if len(values[0]) > limit:
                raise NotFound(f"it has more than {limit} octets")
            return values[0]
    raise NotFound(f"more than {_MAX_MESSAGES} answers")


async def _message(stream: trio.abc.Stream, buffer: bytearray, limit: int) -> bytes:
    length = message_length(bytes(buffer[:8]))
    while length is None or len(buffer) < length:
        if length is not None and length > limit:
            raise NotFound(f"it answers with {length} octets, at most {limit} are read")
        received = await stream.receive_some(_CHUNK)
        if not received:
            raise NotFound("it has hung up")
        buffer += received
        length = message_length(bytes(buffer[:8]))
    message = bytes(buffer[:length])
    del buffer[:length]
    return message
