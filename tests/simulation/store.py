"""A host's store: it outlives processes, and its disk may be full, read-only or damaged."""

from __future__ import annotations

from ikeactors.actors.store import Changes, MemoryStore, Opened, Row, StoreFailed

# What a disk refuses: on one that is full something can be removed still.
FULL, READ_ONLY = "full", "read-only"
# What a process finds: one row cut short, or nothing that can be read.
TORN, CORRUPT = "torn", "corrupt"


class FaultyStore(MemoryStore):
    """`fault` is in force now, `damage` is found by the next process."""

    def __init__(self) -> None:
        super().__init__()
        self.damage = ""

    def open(self) -> Opened:
        self._check()
        damage, self.damage = self.damage, ""
        if damage == CORRUPT:
            self.rows.clear()
            return Opened({}, ("it was not readable",))
        if damage == TORN and self.rows:
            number, row = next(iter(self.rows.items()))
            self.rows[number] = Row(row.saved_at, row.octets[: len(row.octets) // 2])
        return super().open()

    def commit(self, changes: Changes) -> None:
        self._check()
        super().commit(changes)

    def invalidate(self) -> None:
        if self.fault == READ_ONLY:
            self._check()
        super().invalidate()

    def _check(self) -> None:
        if self.fault:
            raise StoreFailed(f"the disk is {self.fault}")
