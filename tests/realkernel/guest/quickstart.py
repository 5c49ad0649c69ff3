"""The quick start with the kernel's ESP, from nothing to the tunnel's end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.realkernel.guest.reporting import attempt

PROGRAM = Path(__file__).resolve().parents[3] / "tools" / "quickstart"
NAMES = ("the quick start",)
_TRAINS_OF_PINGS = 4


def run() -> None:
    """All of it."""
    attempt(NAMES[0], _quick_start)


def _quick_start() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "--kernel", "xfrm"],
        env={**os.environ, "IKEACTORS_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "kernel: xfrm" in done.stdout, done.stdout
    assert done.stdout.count(" 0% packet loss") == _TRAINS_OF_PINGS, done.stdout
