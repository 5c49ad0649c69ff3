"""A kernel that has ESP, in a virtual machine: each check of the guest is a test here.

The machine is booted once; its kernel, its checks and strongSwan run under emulation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.realkernel.guest.main import NAMES
from tests.realkernel.guest.reporting import MARK

PROJECT = Path(__file__).resolve().parents[2]
GUEST = "python3 -m tests.realkernel.guest.main"
# Making the machine takes some minutes where none was made before.
BOOT_SECONDS = 1500

pytestmark = [pytest.mark.realkernel, pytest.mark.timeout(BOOT_SECONDS + 60)]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the guest said: a verdict and a detail for each check, and all that it printed."""

    verdicts: Mapping[str, tuple[str, str]]
    printed: str


@pytest.fixture(scope="module")
def machine() -> Machine:
    """Boot the machine and let it run its checks."""
    done = subprocess.run(
        [sys.executable, PROJECT / "tools" / "vm", "--shell", GUEST],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOOT_SECONDS,
        check=False,
    )
    return Machine(_verdicts(done.stdout), done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_kernel_passes(machine: Machine, name: str) -> None:
    assert name in machine.verdicts, f"the guest never came to it:\n{machine.printed[-4000:]}"
    verdict, detail = machine.verdicts[name]
    assert verdict == "ok", detail


def _verdicts(printed: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in printed.splitlines():
        words = line.split("\t")
        if words[0] == MARK and len(words) == 4:
            found[words[1]] = (words[2], json.loads(words[3]))
    return found
