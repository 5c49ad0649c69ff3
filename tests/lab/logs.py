"""The log files of the peers that run now, shown with a test that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# Enough for the exchange that failed and what led to it; the whole file would bury the assertion.
SHOWN_LINES = 120


@dataclass(slots=True)
class Logs:
    """Files by title, and how far each had grown when the running test began."""

    files: dict[str, Path] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def add(self, title: str, path: Path) -> None:
        """Show this file with the tests that fail from now on."""
        self.files[title] = path
        self.marks[title] = 0

    def remove(self, title: str) -> None:
        """Show it no more."""
        self.files.pop(title, None)
        self.marks.pop(title, None)

    def mark(self) -> None:
        """A test begins: what was written before is not about it."""
        for title, path in self.files.items():
            self.marks[title] = path.stat().st_size if path.exists() else 0

    def since_mark(self) -> list[tuple[str, str]]:
        """What each file has gained since, at most SHOWN_LINES of it."""
        return [(title, self._tail(title, path)) for title, path in self.files.items()]

    def _tail(self, title: str, path: Path) -> str:
        if not path.exists():
            return "(no file)"
        with path.open("rb") as file:
            file.seek(self.marks.get(title, 0))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-SHOWN_LINES:])


LOGS = Logs()
