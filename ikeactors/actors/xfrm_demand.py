"""Policies of the kernel's IPsec that have no SA before a packet needs one.

The kernel asks whoever listens (XFRM_MSG_ACQUIRE), and holds the packet only where that is switched
on: both are done with the first such policy, and what was switched on is put back at the end.

It asks once for each SA, and again when what stands for it meanwhile (a larval SA) has expired,
half a minute later. A Child SA that comes has another reqid than the policy that asked, so it does
not take the larval one's place: that is removed when the Child SA goes, and the next packet asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ikeactors.actors.backends import Acquired
from ikeactors.actors.netlink import Socket
from ikeactors.kernel import xfrm_events
from ikeactors.kernel.requests import Address, Direction, PolicyRequest
from ikeactors.kernel.xfrm_policies import Change
from ikeactors.protocol.events import Trigger

# linux/xfrm.h, enum xfrm_nlgroups. Who listens to it makes the kernel hold packets for SAs, so
# nobody does before there is a policy for which we negotiate them.
ACQUIRE_GROUP = 1

# Whether the kernel drops packets that wait for an SA; for each network namespace.
LARVAL_DROP = Path("/proc/sys/net/core/xfrm_larval_drop")


# Ours: larval SAs that are known. Where there are more, some packets have to wait for their end.
MAX_LARVAL = 4096


class Larval(NamedTuple):
    """What stands for an SA that a policy has asked for: its ends as the kernel told them."""

    policy: PolicyRequest
    destination: bytes
    source: bytes


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
        self._larval: dict[Larval, None] = {}

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
        if len(self._larval) < MAX_LARVAL:
            self._larval[Larval(policy, *event.ends)] = None
        return Acquired(policy, Trigger(event.source, event.destination))

    def stale(self, gone: Sequence[PolicyRequest]) -> list[Larval]:
        """What stands in the way of asking again, now that these policies' SAs are gone.

        It is told once.
        """
        if not self._larval:
            return []
        ends = {_ends(one) for one in gone if one.direction == Direction.OUT and not one.on_demand}
        found = [one for one in self._larval if _ends(one.policy) in ends]
        for one in found:
            del self._larval[one]
        return found

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


def _ends(policy: PolicyRequest) -> tuple[Address, Address]:
    return policy.tunnel_source, policy.tunnel_destination
