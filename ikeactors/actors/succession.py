"""Associations that are to take the place of others: reauthentication, as the registry sees it.

What our own end has begun is a renewal: it has one predecessor, and ends when it hands over or is
gone. What the peer has begun is only noted. The tables hold what is under way and nothing else.
"""

from __future__ import annotations

from ikeactors.protocol.events import InitiationRequested
from ikeactors.quick import quick


@quick
class Renewal:
    """An association that reauthenticates: for whom, and what it was asked to do."""

    predecessor: int
    event: InitiationRequested


class Succession:
    """What is under way, by the numbers of the new associations and of the old ones."""

    def __init__(self) -> None:
        self._renewals: dict[int, Renewal] = {}
        self._successors: dict[int, int] = {}
        self._predecessors: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._successors)

    def begin(self, successor: int, renewal: Renewal) -> None:
        """This association of ours is to take the place of another."""
        self._renewals[successor] = renewal
        self.note(successor, (renewal.predecessor,))

    def note(self, successor: int, predecessors: tuple[int, ...]) -> None:
        """The peer's new association seems to come in the place of these."""
        for one in predecessors:
            self._leave(one)
            self._successors[one] = successor
        known = self._predecessors.get(successor, ())
        self._predecessors[successor] = tuple(dict.fromkeys((*known, *predecessors)))

    def find(self, successor: int) -> Renewal | None:
        """What this association renews, if anything."""
        return self._renewals.get(successor)

    def is_open(self, successor: int) -> bool:
        """Whether this one of ours is to take the place of another that is there still."""
        renewal = self._renewals.get(successor)
        return renewal is not None and self.is_under_way(renewal.predecessor)

    def predecessors(self, successor: int) -> frozenset[int]:
        """Those in whose place this association comes."""
        noted = frozenset(self._predecessors.get(successor, ()))
        renewal = self._renewals.get(successor)
        return noted if renewal is None else noted | {renewal.predecessor}

    def successor(self, predecessor: int) -> int:
        """The association that is about to take the place of this one, or 0."""
        return self._successors.get(predecessor, 0)

    def is_under_way(self, predecessor: int) -> bool:
        """Whether another association is about to take the place of this one."""
        return predecessor in self._successors

    def complete(self, successor: int) -> Renewal | None:
        """It stands with all it was asked for: what it was to renew, if anything."""
        return self._renewals.pop(successor, None)

    def end(self, number: int) -> Renewal | None:
        """An association is gone: what it was to renew, if anything."""
        self._leave(number)
        for one in self._predecessors.pop(number, ()):
            self._successors.pop(one, None)
        return self._renewals.pop(number, None)

    def _leave(self, predecessor: int) -> None:
        successor = self._successors.pop(predecessor, None)
        if successor is None:
            return
        left = tuple(one for one in self._predecessors[successor] if one != predecessor)
        if left:
            self._predecessors[successor] = left
        else:
            del self._predecessors[successor]
