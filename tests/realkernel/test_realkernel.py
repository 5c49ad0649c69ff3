"""A kernel that has ESP, in a virtual machine: each check of the guest is a test here.

The machine is booted once; its kernel, its checks and strongSwan run under emulation.
"""

from __future__ import annotations

import pytest

from tests.realkernel.conftest import BOOT_SECONDS, Machine
from tests.realkernel.guest import same
from tests.realkernel.guest.main import NAMES

pytestmark = [pytest.mark.realkernel, pytest.mark.timeout(BOOT_SECONDS + 60)]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in same.NAMES])
def test_a_real_kernel_passes(machine: Machine, name: str) -> None:
    machine.passes(name)
