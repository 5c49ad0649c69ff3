"""What a run has shown to be broken, and what happened in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import trio

# Lines kept for people: the last ones tell what led to a broken invariant.
TRACE_LIMIT = 4000


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that did not hold."""

    invariant: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f}: {self.text}"


@dataclass
class Record:
    """The run as it goes on: a hash of all that happened, lines where they are wanted, faults.

    The first broken invariant sets `over`: what follows from it is of no interest.
    """

    wants_lines: bool = False
    ignored: frozenset[str] = frozenset()
    broken: Broken | None = None
    lines: list[str] = field(default_factory=list)
    over: trio.Event = field(default_factory=trio.Event)
    counts: dict[str, int] = field(default_factory=dict)
    suspended: float = 0.0

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def note(self, line: str) -> None:
        """Something that happened; part of the hash."""
        self._hash.update(f"{trio.current_time():.6f} {line}\n".encode())

    def show(self, line: str) -> None:
        """A line for people alone."""
        if self.wants_lines:
            self.lines.append(f"{trio.current_time():10.3f} {line}")
            if len(self.lines) > TRACE_LIMIT:
                del self.lines[: TRACE_LIMIT // 2]

    def count(self, word: str, times: int = 1) -> None:
        """Count what a run has exercised."""
        self.counts[word] = self.counts.get(word, 0) + times

    def breaks(self, invariant: str, text: str) -> None:
        """An invariant does not hold."""
        self.count(invariant)
        if invariant in self.ignored:
            return
        if self.broken is None:
            self.broken = Broken(invariant, trio.current_time(), text)
            self.show(f"BROKEN {self.broken}")
        self.over.set()

    @property
    def digest(self) -> str:
        """The hash of the whole run."""
        return self._hash.hexdigest()
