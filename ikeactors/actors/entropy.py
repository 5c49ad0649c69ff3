"""Chance, from the operating system."""

from __future__ import annotations

import os


class SystemEntropy:
    """Random octets of the operating system."""

    def octets(self, count: int) -> bytes:
        """Fresh octets."""
        return os.urandom(count)
