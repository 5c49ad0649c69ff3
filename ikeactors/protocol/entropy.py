"""Where random octets come from: injected, so that a run is a function of its seed."""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """A source of unpredictable octets (nonces, SPIs, private keys, IVs)."""

    def octets(self, count: int) -> bytes:
        """Return `count` fresh octets, never the same twice."""
        ...
