"""What the kernel actor counts, whether it lives just now or not."""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.actors.backends import Backend
from ikeactors.actors.kernel import KernelState


@dataclass(frozen=True, slots=True)
class KernelStatistics:
    """What is installed now, and what has happened since the daemon started."""

    backend: str
    sas: int
    policies: int
    refusals: int
    expirations: int
    mapping_changes: int
    acquisitions: int
    losses_of_events: int


def kernel_statistics(backend: Backend, state: KernelState) -> KernelStatistics:
    """The counters of the kernel actor, whether it lives just now or not."""
    return KernelStatistics(
        backend.name,
        len(state.installed.sa_ids()),
        state.installed.policy_count,
        state.refusals,
        state.expirations,
        state.mapping_changes,
        state.acquisitions,
        state.losses_of_events,
    )
