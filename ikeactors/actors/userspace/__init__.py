"""The userspace data plane: ESP in UDP over a TUN device, for hosts whose kernel has no ESP."""

from __future__ import annotations

from ikeactors.actors.userspace.backend import UserspaceBackend, run_userspace
from ikeactors.actors.userspace.plane import Plane, PlaneStatistics, Send

__all__ = ["UserspaceBackend", "run_userspace", "Plane", "PlaneStatistics", "Send"]
