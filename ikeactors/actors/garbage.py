"""The garbage collector, as a daemon of many small objects wants it."""

from __future__ import annotations

import gc

# The garbage collector finds little: what associations leave behind goes by reference counts, and
# its default thresholds cost 30 to 60 us per handshake while tens of thousands come up. What is
# there after start-up stays, and is not looked at again.
_THRESHOLDS = (50_000, 20, 50)


def settle() -> None:
    """Start-up is over: what is there by now is there for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
