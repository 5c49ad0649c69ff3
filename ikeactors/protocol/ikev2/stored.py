"""A checkpoint as octets, and back, also those that an older version wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikeactors.errors import Fault
from ikeactors.protocol.encoding import Undecodable, decode, encode
from ikeactors.protocol.ikev2.checkpoint import Checkpoint

# Ours: counted up when what is written can no longer be read by adding defaults.
SCHEMA = 1


class Unrestorable(Fault):
    """There is nothing to go on with; the text says why."""


def write_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The octets of a checkpoint."""
    return encode((SCHEMA, checkpoint))


def read_checkpoint(octets: bytes) -> Checkpoint:
    """The checkpoint in these octets. Raises `Unrestorable`."""
    try:
        match decode(octets):
            case (int(schema), content):
                return _migrated(schema, content)
            case _:
                raise Unrestorable("this is no checkpoint")
    except Undecodable as fault:
        raise Unrestorable(str(fault)) from None


def _migrated(schema: int, content: Any) -> Checkpoint:
    if schema > SCHEMA:
        raise Unrestorable(f"it was written by a newer version (schema {schema})")
    for older in range(schema, SCHEMA):
        content = _MIGRATIONS[older](content)
    if not isinstance(content, Checkpoint):
        raise Unrestorable("this is no checkpoint")
    return content


# From a schema to the next.
_MIGRATIONS: dict[int, Callable[[Any], Any]] = {}
