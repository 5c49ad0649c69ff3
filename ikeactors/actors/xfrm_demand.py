"""Policies of the kernel's IPsec that have no SA before a packet needs one.

The kernel asks whoever listens (XFRM_MSG_ACQUIRE), and holds the packet only where that is switched
on: both are done with the first such policy, and what was switched on is put back at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ikeactors.actors.backends import Acquired
from ikeactors.actors.netlink import Socket
from ikeactors.kernel import xfrm_events
from ikeactors.kernel.requests import Direction, PolicyRequest
from ikeactors.kernel.xfrm_policies import Change
from ikeactors.protocol.events import Trigger

# linux/xfrm.h, enum xfrm_nlgroups. Who listens to it makes the kernel hold packets for SAs, so
# nobody does before there is a policy for which we negotiate them.
ACQUIRE_GROUP = 1

# Whether the kernel drops packets that wait for an SA; for each network namespace.
LARVAL_DROP = Path("/proc/sys/net/core/xfrm_larval_drop")


class Demand:
    """Which policies ask for SAs, by the kernel's index and by its selector."""

    def __init__(self, socket: Socket, larval_drop: Path = LARVAL_DROP) -> None:
        self._socket = socket
        self._larval_drop = larval_drop
        self._listens = False
        self._dropped_before = ""
        self._by_index: dict[int, PolicyRequest] = {}
        # A predecessor's policy keeps its index when ours comes in its place.
        self._by_selector: dict[bytes, PolicyRequest] = {}

    def note(self, changes: Sequence[Change]) -> None:
        """Policies are in force from now on, or no more: those that ask for SAs are known."""
        for change in changes:
            if change.about.direction != Direction.OUT:
                continue
            policy = change.after.in_force if change.after is not None else None
            if change.after is not None and policy is not None and policy.on_demand:
                self._listen()
                self._by_index[change.after.index] = policy
                self._by_selector[change.selector.octets()] = policy
            elif change.before is not None and change.before.index in self._by_index:
                del self._by_index[change.before.index]
                self._by_selector.pop(change.selector.octets(), None)

    def acquired(self, event: xfrm_events.Acquired) -> Acquired | None:
        """The policy that asks; None where it is none of ours, or has an SA by now."""
        policy = self._by_index.get(event.index) or self._by_selector.get(event.policy)
        if policy is None:
            return None
        return Acquired(policy, Trigger(event.source, event.destination))

    def close(self) -> None:
        """Packets are dropped again, where they were before."""
        if self._dropped_before:
            with suppress(OSError):
                self._larval_drop.write_text(self._dropped_before)

    def _listen(self) -> None:
        if self._listens:
            return
        self._listens = True
        self._socket.join(ACQUIRE_GROUP)
        # Where it cannot be set the first packets are lost, and sent again by who cares for them.
        with suppress(OSError):
            self._dropped_before = self._larval_drop.read_text()
            self._larval_drop.write_text("0")
