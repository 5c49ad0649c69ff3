"""The virtual machine: booted once, for the checks that are asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.realkernel.guest.main import PARTS
from tests.realkernel.guest.reporting import MARK

PROJECT = Path(__file__).resolve().parents[2]
GUEST = "python3 -m tests.realkernel.guest.main"
# Making the machine takes some minutes where none was made before.
BOOT_SECONDS = 2400
_GUEST_SECONDS = 2100


@dataclass(frozen=True, slots=True)
class Machine:
    """What the guest said: a verdict and a detail for each check, and all that it printed."""

    verdicts: Mapping[str, tuple[str, str]]
    printed: str

    def passes(self, name: str) -> None:
        """Fail where a check of the guest did."""
        assert name in self.verdicts, f"the guest never came to it:\n{self.printed[-4000:]}"
        verdict, detail = self.verdicts[name]
        assert verdict == "ok", detail


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Machine:
    """Boot the machine and let it run the parts with the checks that are collected."""
    wanted = [getattr(item, "callspec", None) for item in request.session.items]
    names = {callspec.params.get("name") for callspec in wanted if callspec is not None}
    parts = [part for part, module in PARTS.items() if names.intersection(module.NAMES)]
    boot = [sys.executable, PROJECT / "tools" / "vm", "--timeout", str(_GUEST_SECONDS)]
    done = subprocess.run(
        [*boot, "--shell", " ".join((GUEST, *parts))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOOT_SECONDS,
        check=False,
    )
    return Machine(_verdicts(done.stdout), done.stdout)


def _verdicts(printed: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in printed.splitlines():
        words = line.split("\t")
        if words[0] == MARK and len(words) == 4:
            found[words[1]] = (words[2], json.loads(words[3]))
    return found
