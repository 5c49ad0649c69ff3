"""The daemon with what nobody but a test may do to it; run in place of `ikeactors daemon`.

    python -m tests.lab.striking --config FILE [--seed SEED] [--nonces ORDER]

SIGUSR1 lets an association crash at one of its next waits, SIGUSR2 an actor that chance chooses.
`--nonces rising` makes each nonce higher than all before it and lower than nearly any of the
peer's, so where two rekeys cross, ours has the lowest nonce; `falling` gives it to the peer's.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from functools import partial
from pathlib import Path
from random import Random

import trio

from ikeactors.actors.entropy import SystemEntropy
from ikeactors.cli.local import notify_ready
from ikeactors.config import load
from ikeactors.daemon import run_daemon
from ikeactors.parts import Options
from ikeactors.ports import Ports
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from tests.simulation.injection import CrashAtWait

PEER = "peer"
# Every actor but the one that tells whether all is well: its crash would only cost the test.
ACTORS = ("worker-1", "alarms", "kernel", "userspace", "sockets", "router", "peers", "log")
RISING = "rising"
FALLING = "falling"

# A busy actor comes to as many waits within a second.
_MOST_WAITS = 40
_MARK_OCTETS = 5
_MOST_MARKS = 1 << 20


class OrderedNonces:
    """Random octets, except that nonces begin with a number that only rises, or only falls.

    The peer's beginning with five octets as low is as unlikely as a guess of its key is of use.
    """

    def __init__(self, order: str) -> None:
        self._step = 1 if order == RISING else -1
        self._mark = 0 if order == RISING else _MOST_MARKS

    def octets(self, count: int) -> bytes:
        """Fresh octets."""
        drawn = os.urandom(count)
        if count != NONCE_OCTETS:
            return drawn
        self._mark += self._step
        return self._mark.to_bytes(_MARK_OCTETS, "big") + drawn[_MARK_OCTETS:]


class Striker(trio.abc.Instrument):
    """Crashes what it was asked to crash, at a wait that chance chooses."""

    def __init__(self, seed: str) -> None:
        self._chance = Random(seed)
        self._asked: list[str] = []
        self._crash: CrashAtWait | None = None

    def ask(self, number: int, _: object) -> None:
        """A signal has come."""
        peer = number == signal.SIGUSR1
        self._asked.append(PEER if peer else self._chance.choice(ACTORS))

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._crash is None and self._asked:
            actor = self._asked.pop(0)
            print("strikes:", actor, file=sys.stderr, flush=True)  # noqa: T201
            at = self._chance.randrange(1, _MOST_WAITS) if actor != PEER else 1
            self._crash = CrashAtWait(at, partial(is_of, actor))
            self._crash.arm(())
        if self._crash is not None:
            self._crash.after_task_step(task)
            self._crash = None if self._crash.done else self._crash


def is_of(actor: str, task: trio.lowlevel.Task) -> bool:
    """Whether a task is this actor of the daemon's supervisor, or an association."""
    if actor == PEER:
        return task.name == PEER
    frame = task.coro.cr_frame
    child = frame.f_locals.get("child") if frame is not None else None
    return child is not None and child.specification.name == actor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--nonces", choices=(RISING, FALLING))
    options = parser.parse_args()
    striker = Striker(options.seed)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, striker.ask)
    entropy = OrderedNonces(options.nonces) if options.nonces else SystemEntropy()
    trio.run(
        run_daemon,
        load(options.config),
        Options(ports=Ports(entropy=entropy)),
        notify_ready,
        instruments=[striker],
    )


if __name__ == "__main__":
    main()
