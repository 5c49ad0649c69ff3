"""How often something may be done because a stranger asked: a bucket of tokens."""

from __future__ import annotations


class Allowance:
    """`per_second` times a second, `burst` times at once after a pause."""

    __slots__ = ("_burst", "_left", "_per_second", "_seen_at")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = self._left = burst
        self._seen_at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether it may be done now; if so, it counts."""
        gained = (now - self._seen_at) * self._per_second
        self._left = min(self._burst, self._left + max(gained, 0.0))
        self._seen_at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
