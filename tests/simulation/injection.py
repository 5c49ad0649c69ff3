"""Crashes where actors wait: an exception comes out of the wait instead of what was waited for.

A task is interrupted in a wait that can be aborted, as a cancellation would do it; to raise at
other places would break Trio's own primitives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import outcome
import trio


class Injected(Exception):
    """A crash that the simulation has made."""


def interrupt(task: trio.lowlevel.Task, why: str) -> bool:
    """Let a task that waits crash; False when it does not wait for anything just now."""
    abort = task._abort_func
    if abort is None or task._cancel_status is None:
        return False
    task._abort_func = None

    def raise_cancel() -> None:
        raise Injected(why)

    if abort(raise_cancel) is not trio.lowlevel.Abort.SUCCEEDED:
        task._abort_func = abort
        return False
    trio.lowlevel.reschedule(task, outcome.Error(Injected(why)))
    return True


class CrashAtWait(trio.abc.Instrument):
    """Interrupts the k-th wait of the tasks that `is_meant` means, counted once it is armed."""

    def __init__(self, at: int, is_meant: Callable[[trio.lowlevel.Task], bool]) -> None:
        self.at = at
        self.waits = 0
        self.done = False
        self.until = -math.inf
        self._is_meant = is_meant

    def arm(self, tasks: Iterable[trio.lowlevel.Task], until: float = math.inf) -> None:
        """Count from now on, the waits that have begun included."""
        self.until = until
        for task in tasks:
            self.after_task_step(task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.done or task._abort_func is None or not self._is_meant(task):
            return
        if trio.current_time() >= self.until:
            return
        self.waits += 1
        if self.waits >= self.at:
            self.done = interrupt(task, f"{task.name} at wait {self.waits}")
