"""The deadlines of one association: what is due, and when."""

from __future__ import annotations

import enum
import math


class Timer(enum.StrEnum):
    """What a deadline is for. The comment says what the timer's number is, where it has one."""

    RETRANSMIT = "retransmit"  # number of the IKE SA
    REASSEMBLY = "reassembly"  # number of the IKE SA
    ERROR_PATIENCE = "error-patience"
    PUZZLE = "puzzle"
    HALF_OPEN = "half-open"
    IKE_REKEY = "ike-rekey"
    IKE_EXPIRE = "ike-expire"
    IKE_REAUTH = "ike-reauth"
    AUTH_EXPIRE = "auth-expire"
    RECHECK = "recheck"
    RENEWED = "renewed"
    OUTLIVED = "outlived"
    SUPERSEDED = "superseded"
    OVERLAP = "overlap"
    IKE_RETIRE = "ike-retire"  # number of the IKE SA
    LIVENESS = "liveness"
    KEEPALIVE = "keepalive"
    CHILD_REKEY = "child-rekey"  # number of the Child SA
    CHILD_EXPIRE = "child-expire"  # number of the Child SA
    CHILD_RETIRE = "child-retire"  # number of the Child SA
    CHILD_CREATE = "child-create"  # number of the attempt


class TimerTable:
    """A handful of deadlines, each named by what it is for and a number."""

    __slots__ = ("_due_at",)

    def __init__(self) -> None:
        self._due_at: dict[tuple[Timer, int], float] = {}

    def start(self, timer: Timer, due_at: float, number: int = 0) -> None:
        """Set this timer, or move it."""
        self._due_at[timer, number] = due_at

    def stop(self, timer: Timer, number: int = 0) -> None:
        """Forget this timer; it need not be running."""
        self._due_at.pop((timer, number), None)

    def stop_all(self) -> None:
        """Forget every timer."""
        self._due_at.clear()

    def due_at(self, timer: Timer, number: int = 0) -> float:
        """When this timer is due; infinity when it is not running."""
        return self._due_at.get((timer, number), math.inf)

    @property
    def running(self) -> tuple[tuple[tuple[Timer, int], float], ...]:
        """Every timer, its number, and when it is due."""
        return tuple(self._due_at.items())

    @property
    def deadline(self) -> float:
        """When the first timer is due; infinity when none is running."""
        return min(self._due_at.values(), default=math.inf)

    def expire(self, now: float) -> list[tuple[Timer, int]]:
        """Take out what is due, the earliest first."""
        due = sorted(
            (at, key[0].value, key[1], key) for key, at in self._due_at.items() if at <= now
        )
        for _, _, _, key in due:
            del self._due_at[key]
        return [key for _, _, _, key in due]
