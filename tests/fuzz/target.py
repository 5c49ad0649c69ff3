"""What a fuzz target is, and what becomes of an input that one does not bear."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REGRESSIONS = Path(__file__).parent / "regressions"

# Ours: how often a crash is run again to make its input shorter.
_MOST_ATTEMPTS = 400

Run = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any octets and raises where our code does not bear them; `seeds` are sound."""

    run: Run
    seeds: Callable[[], list[bytes]]
    # How many inputs make up about a second.
    a_second: int = 10_000


@dataclass(frozen=True, slots=True)
class Crash:
    """An input that was not borne. Crashes of one signature are one mistake."""

    target: str
    octets: bytes
    signature: str
    report: str

    @property
    def file(self) -> Path:
        """Where a regression keeps it."""
        name = hashlib.sha256(self.octets).hexdigest()[:8]
        return REGRESSIONS / f"{self.target}-{name}.hex"

    def __str__(self) -> str:
        path = self.file.relative_to(REGRESSIONS.parents[2])
        return f"{self.report}\ninput: {self.octets.hex()}\necho {self.octets.hex()} > {path}"


def crash_of(name: str, run: Run, octets: bytes) -> Crash | None:
    """What `run` makes of the octets, where that is a crash."""
    try:
        run(octets)
    except Exception as exception:  # noqa: BLE001
        frames = traceback.extract_tb(exception.__traceback__)
        places = [one for one in frames if "/ikeactors/" in one.filename] or list(frames)
        signature = f"{type(exception).__name__} at {places[-1].filename}:{places[-1].lineno}"
        return Crash(name, octets, signature, "".join(traceback.format_exception(exception)))
    return None


def shortened(crash: Crash, run: Run) -> Crash:
    """The same crash of fewer octets, as far as leaving some out goes."""
    size = max(1, len(crash.octets) // 2)
    attempts = at = 0
    while attempts < _MOST_ATTEMPTS:
        if at >= len(crash.octets):
            if size == 1:
                break
            size, at = size // 2, 0
        attempts += 1
        less = crash_of(crash.target, run, crash.octets[:at] + crash.octets[at + size :])
        if less is not None and less.signature == crash.signature and len(less.octets):
            crash = less
        else:
            at += size
    return crash
