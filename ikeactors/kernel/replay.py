"""The anti-replay window of an inbound SA, with extended sequence numbers or without."""

from __future__ import annotations

from ikeactors.errors import Fault

_LOW_BITS = 32
_LOW_MASK = 0xFFFFFFFF

# Specification: what the low half of a sequence number is told apart by, where replays are allowed.
_ESN_MINIMUM = 32

# Ours, and Linux's (XFRMA_REPLAY_ESN_MAX): wider windows than this cover no real reordering.
MAX_REPLAY_WINDOW = 4096


class Replayed(Fault):
    """A sequence number has been seen before, or is too old to know."""


class ReplayWindow:
    """Which sequence numbers have come (RFC 4303 section 3.4.3).

    `check` before the packet is authenticated, `accept` after. Bit n of the bitmap is
    `highest - n`. A width of 0 turns the check off.
    """

    __slots__ = ("_bitmap", "_esn", "_mask", "_width", "highest")

    def __init__(self, width: int, esn: bool) -> None:
        assert 0 <= width <= MAX_REPLAY_WINDOW
        self._width = width
        self._mask = (1 << width) - 1
        self._esn = esn
        self._bitmap = 0
        self.highest = 0

    def whole(self, low: int) -> int:
        """The sequence number of which a packet carries `low` (RFC 4303 appendix A2.2)."""
        if not self._esn:
            return low
        width = max(self._width, _ESN_MINIMUM)
        high, highest_low = self.highest >> _LOW_BITS, self.highest & _LOW_MASK
        bottom = highest_low - width + 1
        if bottom >= 0:
            high += low < bottom
        else:
            high -= low >= bottom & _LOW_MASK
        if not 0 <= high <= _LOW_MASK:
            raise Replayed("the sequence number lies outside of what there is")
        return high << _LOW_BITS | low

    def check(self, sequence: int) -> None:
        """Raise `Replayed` unless this sequence number may still come."""
        if sequence > self.highest or not self._width:
            return
        behind = self.highest - sequence
        if sequence == 0 or behind >= self._width:
            raise Replayed("the sequence number is older than the window")
        if self._bitmap >> behind & 1:
            raise Replayed("the sequence number has come before")

    def accept(self, sequence: int) -> None:
        """Note that an authentic packet had this sequence number."""
        ahead = sequence - self.highest
        if ahead <= 0:
            self._bitmap |= 1 << -ahead & self._mask
            return
        # A jump beyond the window would shift by as much as a peer likes: memory, not only time.
        self._bitmap = (self._bitmap << ahead | 1) & self._mask if ahead < self._width else 1
        self.highest = sequence
