"""Chance and numbers that a daemon's associations share: the operating system's, and a counter."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from ikeactors.protocol.surroundings import SHARD_BITS

_REQIDS_END = 1 << 32


class SystemEntropy:
    """Random octets of the operating system."""

    def octets(self, count: int) -> bytes:
        """Fresh octets."""
        return os.urandom(count)


def reqids(taken: Container[int] = (), shard: int = 0) -> Iterator[int]:
    """Request IDs for SAs, without those that the configuration names.

    The low bits name the process, as in our SPIs. After 67 million they begin again; whoever had
    the first of them has long been rekeyed under another.
    """
    step = 1 << SHARD_BITS
    while True:
        for reqid in range(step + shard, _REQIDS_END, step):
            if reqid not in taken:
                yield reqid
