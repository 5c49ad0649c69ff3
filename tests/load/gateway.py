"""The daemon as it is, with a data plane that says yes to everything and does nothing.

    python -m tests.load.gateway CONFIGURATION [PROFILE]

It says "ready" and the CPU time it has used so far when it serves peers; SIGTERM ends it. With
PROFILE, SIGUSR1 begins to look where its CPU time goes, SIGUSR2 writes that down as JSON and ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from types import FrameType

import trio

from ikeactors.actors.backends import EventQueue, KernelEvent
from ikeactors.actors.probing import Choice
from ikeactors.config import load
from ikeactors.daemon import run_daemon
from ikeactors.kernel.inventory import Inventory
from ikeactors.kernel.requests import PolicyRequest, SaId, SaRequest, SaUsage
from ikeactors.parts import Options
from ikeactors.ports import Ports


class NoDataPlane:
    """A back end without a kernel behind it."""

    name = "none"

    def __init__(self) -> None:
        self._events = EventQueue()

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        """Done."""

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        """Done."""

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        """Done."""

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        """Everything is there, and idle."""
        return [SaUsage(sa_id, 0, 0, 0.0) for sa_id in sa_ids]

    async def inventory(self) -> Inventory:
        """Looked at when a measurement begins: nothing is there yet."""
        return Inventory()

    def events(self) -> AsyncIterator[KernelEvent]:
        """Nothing ever happens."""
        return self._events

    async def aclose(self) -> None:
        """Nothing to close."""


async def choose(kind: str, entropy: object, open_userspace: object) -> Choice:
    """The data plane of a measurement."""
    return Choice(NoDataPlane(), "a measurement")


def ready() -> None:
    """Tell whoever has started this process."""
    print("ready", time.process_time(), flush=True)  # noqa: T201


class Sampler:
    """Looks at the main thread each few milliseconds of CPU time: what runs, called by whom.

    Unlike a tracing profiler it makes nothing slower, so small functions are not made large. What
    runs in native code is counted for the line of Python that called it.
    """

    # The kernel counts this clock in ticks of 4 ms.
    INTERVAL = 0.004

    def __init__(self, path: str) -> None:
        self._path = path
        self._stacks: Counter[tuple[str, ...]] = Counter()
        signal.signal(signal.SIGPROF, self._look)
        signal.signal(signal.SIGUSR1, self._begin)
        signal.signal(signal.SIGUSR2, self._end)

    def _begin(self, _: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, self.INTERVAL, self.INTERVAL)

    def _look(self, _: int, frame: FrameType | None) -> None:
        stack: list[str] = []
        while frame is not None:
            code = frame.f_code
            stack.append(f"{code.co_filename}:{code.co_qualname}:{frame.f_lineno}")
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1

    def _end(self, _: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        with open(self._path, "w") as file:
            json.dump(list(self._stacks.items()), file)
        os._exit(0)


def main() -> None:
    configuration = load(sys.argv[1])
    if len(sys.argv) > 2:
        _ = Sampler(sys.argv[2])
    trio.run(run_daemon, configuration, Options(ports=Ports(probe=choose)), ready)


if __name__ == "__main__":
    main()
