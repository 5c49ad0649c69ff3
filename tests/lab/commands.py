"""Running programs to their end and waiting for what other processes do.

Other processes have no virtual clock: this is the one place of the tests where time passes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# A program that has not ended by then hangs: a negotiation has a shorter limit of its own.
PROGRAM_SECONDS = 40.0
# Short against every protocol timer, long against the cost of one look.
LOOK_AGAIN_SECONDS = 0.05
# A daemon takes its tunnels down on SIGTERM; what is left then is killed.
STOP_SECONDS = 6.0


class CommandFailed(AssertionError):
    """A program of the lab ended with another status than 0."""


def run(*argv: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """What the program wrote to its standard output; with `check` it must succeed."""
    done = run_freely(*argv, env=env)
    if check and done.returncode != 0:
        text = f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        raise CommandFailed(text)
    return done.stdout


def run_freely(
    *argv: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, whatever its status."""
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        env={**os.environ, **(env or {})},
        check=False,
    )


def start(
    *argv: str, output: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that stays, in a process group of its own, writing to `output`."""
    with output.open("ab") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM) -> int:
    """End a program that was started here: kindly, then not. Its status."""
    if process.poll() is None:
        process.send_signal(first)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(STOP_SECONDS)


def wait_until(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """What `look` returns once it is true; an AssertionError naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(LOOK_AGAIN_SECONDS)


def pause(seconds: float) -> None:
    """Let real time pass where only its passing can show that nothing happens."""
    time.sleep(seconds)
