"""A checkpoint as octets, and back, also those that an older version wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from ikeactors.errors import Fault
from ikeactors.protocol.encoding import Undecodable, decode
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.ikev2.rows import read_rows, write_rows

# Ours: counted up when what is written can no longer be read by adding defaults.
SCHEMA = 2


class Unrestorable(Fault):
    """There is nothing to go on with; the text says why."""


def write_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The octets of a checkpoint."""
    return write_rows(SCHEMA, checkpoint)


def read_checkpoint(octets: bytes) -> Checkpoint:
    """The checkpoint in these octets. Raises `Unrestorable`."""
    try:
        return _checkpoint(octets)
    except Undecodable as fault:
        raise Unrestorable(str(fault)) from None


def _checkpoint(octets: bytes) -> Checkpoint:
    try:
        plain = msgpack.unpackb(octets, use_list=False, strict_map_key=False)
    # A map whose key is a list is a TypeError.
    except (ValueError, TypeError, msgpack.UnpackException) as fault:
        raise Undecodable(f"no msgpack: {fault}") from None
    match plain:
        case (0, 1, _):
            return _checkpoint_1(octets)
        case (int(schema), *rows) if schema in _READERS:
            return _READERS[schema](rows)
        case (int(schema), *_) if schema > SCHEMA:
            raise Unrestorable(f"it was written by a newer version (schema {schema})")
        case _:
            raise Unrestorable("this is no checkpoint")


def _checkpoint_1(octets: bytes) -> Checkpoint:
    """Each object said what it was."""
    match decode(octets):
        case (1, Checkpoint() as checkpoint):
            return checkpoint
        case _:
            raise Unrestorable("this is no checkpoint")


# By schema.
_READERS: dict[int, Callable[[Any], Checkpoint]] = {2: read_rows}
