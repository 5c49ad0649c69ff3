"""Whose an SA or a policy of the kernel's is: marks that say it is ours.

A kernel keeps no name of who has made an entry, but it keeps numbers that mean nothing to it and
gives them back with each list. An SA's mark is its acquisition's sequence number, which only an SA
has that the kernel has asked for, and is a checksum over the SA's name: nobody's by accident. That
of a policy is its soft limit of packets, which no kernel holds a policy against, far above what can
be counted. Both are different for each daemon of a host.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ikeactors.kernel.requests import SaId

_HIGH = 0xFFFFFFFF << 32
_NO_LIMIT = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one daemon."""

    instance: int = 0

    @classmethod
    def of_daemon(cls, name: str) -> Marks:
        """The marks of the daemon that is called so."""
        return cls(zlib.crc32(name.encode()) % _NO_LIMIT)

    @property
    def policy(self) -> int:
        """That of all its policies."""
        return _HIGH | self.instance

    def of_sa(self, sa_id: SaId) -> int:
        """That of an SA. Those of different SAs differ: a kernel hashes by it."""
        named = sa_id.spi.to_bytes(4, "big") + bytes((sa_id.protocol,)) + sa_id.destination.packed
        return zlib.crc32(named, self.instance) or 1
